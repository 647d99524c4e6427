/** Whoever moves the branch: back, aside, round the last accepted commit, or down in its generations. */
import { expect, test } from 'vitest'
import {
  alice,
  approval,
  BOT,
  bob,
  carol,
  mallory,
  manifest,
  reset,
  rootYaml,
} from '../git/policy-repository.ts'
import { revokedYaml, rulesYaml } from '../policy/judging.ts'
import { attackScene, describeAttacks } from './attack-scene.ts'

const bot = (generation: number) => ({ [BOT]: manifest({ generation }) })

describeAttacks('the branch', (transport) => {
  test('a rollback to an old commit that is well signed', async () => {
    const { repository, accepts, refuses, state } = await attackScene(transport)
    const second = await repository.commit({ files: bot(43) })
    await accepts()
    repository.point(repository.first)
    await refuses('RollbackOrRewrite', /moved back/)
    expect(state().commit).toBe(second)
    repository.point(second)
    await repository.commit({ files: bot(44) })
    await accepts()
  })

  test('a force-push of other commits that are well signed', async () => {
    const { repository, accepts, refuses } = await attackScene(transport)
    const second = await repository.commit({ files: bot(43) })
    await accepts()
    await repository.commit({ files: bot(44), parents: [repository.first] })
    await refuses('RollbackOrRewrite', /rewritten/)
    repository.point(second)
    await repository.commit({ files: bot(44) })
    await accepts()
  })

  test('a force-push becomes policy by a reset, once, signed by those whom it passes over', async () => {
    const { repository, accepts, refuses } = await attackScene(transport)
    const from = await repository.commit({ files: bot(43) })
    await accepts()
    const to = await repository.commit({ files: { 'README.md': 'x' }, parents: [repository.first] })
    const raised = bot(43)
    const before = repository.head()
    await repository.commit({ files: { ...raised, ...reset({ from, to }, bob) } })
    await refuses('RollbackOrRewrite', /signed by bob/)
    repository.point(before)
    await repository.commit({ files: { ...raised, ...reset({ from, to }, bob, carol) } })
    await accepts()
    // Put back to where it was, with the same statement: the reset was from another commit.
    await repository.commit({ files: reset({ from, to }, bob, carol), parents: [from] })
    await refuses('RollbackOrRewrite')
  })

  test('a foxtrot merge, in which the accepted commit is the second parent', async () => {
    const { repository, accepts, refuses } = await attackScene(transport)
    const second = await repository.commit({ files: bot(43) })
    await accepts()
    const aside = await repository.commit({ files: bot(50), parents: [repository.first] })
    await repository.commit({ files: bot(50), parents: [aside, second] })
    await refuses('RollbackOrRewrite', /merged the wrong way round/)
    await repository.commit({ files: bot(50), parents: [second, aside] })
    await accepts()
  })

  test('a merge that brings in what its signer may not change, with many parents too', async () => {
    const { repository, accepts, refuses, state } = await attackScene(transport)
    const change = { files: { 'rules/base.yaml': rulesYaml(1) }, parents: [state().commit] }
    const side = await repository.commit({ ...change, by: mallory })
    const other = await repository.commit({ parents: [state().commit], by: mallory })
    const tree = repository.git('rev-parse', `${side}^{tree}`)
    await repository.commit({ tree, parents: [state().commit, side, other] })
    await refuses('ApprovalMissing', /rules\/base\.yaml/)
    const needed = { path: 'rules/base.yaml', content: rulesYaml(1), generation: 1 }
    await repository.commit({ files: approval(needed, bob) })
    await accepts()
  })

  test('a history of other people’s with the same files', async () => {
    const { repository, accepts, refuses, state } = await attackScene(transport)
    const tree = repository.git('rev-parse', 'main^{tree}')
    await repository.commit({ tree, parents: [], message: 'the same content' })
    await refuses('RollbackOrRewrite')
    repository.point(state().commit)
    await accepts()
  })
})

describeAttacks('generations', (transport) => {
  const files = {
    'rules/base.yaml': rulesYaml(5),
    'revoked/list.yaml': revokedYaml(5, {}),
  }
  const approvals = approval({ path: 'rules/base.yaml', content: rulesYaml(5), generation: 5 }, bob)
  const rows: readonly (readonly [string, string, string, string, number, number])[] = [
    [
      'a manifest',
      BOT,
      manifest({ generation: 41 }),
      manifest({ generation: 42 }).replace('300s', '299s'),
      41,
      42,
    ],
    ['rules', 'rules/base.yaml', rulesYaml(4), rulesYaml(6), 4, 6],
    ['revocations', 'revoked/list.yaml', revokedYaml(4, {}), revokedYaml(6, {}), 4, 6],
    [
      'the trust root',
      'trust/root.yaml',
      rootYaml({ generation: 1 }).replace('owners', 'people'),
      rootYaml({ generation: 2 }),
      1,
      2,
    ],
  ]
  test.each(rows)(
    '%s that go down, approved by everybody',
    async (_, path, low, high, below, above) => {
      const { repository, accepts, contrast } = await attackScene(transport)
      await repository.commit({ files: { ...files, ...approvals } })
      await accepts()
      await contrast({
        attack: [
          {
            files: {
              [path]: low,
              ...approval({ path, content: low, generation: below }, bob, carol),
            },
          },
        ],
        condition: 'RollbackOrRewrite',
        says: [path, /generation/],
        honest: [
          {
            files: {
              [path]: high,
              ...approval({ path, content: high, generation: above }, bob, carol),
            },
          },
        ],
      })
    },
  )

  test('that go down across a deletion', async () => {
    const { repository, accepts, contrast } = await attackScene(transport)
    await repository.commit({
      files: { [BOT]: null, 'agents/prod/other.yaml': manifest({ agent: 'other' }) },
    })
    await accepts()
    await contrast({
      attack: [{ files: bot(41) }],
      condition: 'RollbackOrRewrite',
      says: [/41, and 42 was accepted before/],
      honest: [{ files: bot(42), by: alice }],
    })
  })
})
