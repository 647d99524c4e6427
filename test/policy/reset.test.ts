/** Across a rewrite leads only a reset that names both ends, signed by enough of those whom the last accepted trust files name. */
import { describe, expect, test } from 'vitest'
import {
  alice,
  allowedSigners,
  approval,
  BOT,
  bob,
  carol,
  dave,
  mallory,
  manifest,
  REPOSITORY_NAME,
  reset,
  rootYaml,
  signedStatement,
} from '../git/policy-repository.ts'
import { accepted, type Case, refused, SEEN, stateOf } from './judging.ts'
import { memoryRepository } from './memory-history.ts'

/** First, then a change that was accepted; `rewrite` begins again at the first commit, without that change. */
async function rewritten({
  generation = 43,
  change = {} as Readonly<Record<string, string>>,
} = {}) {
  const repository = memoryRepository()
  const { history } = repository
  const first = repository.head()
  const from = repository.commit({ files: { [BOT]: manifest({ generation }), ...change } })
  const state = await stateOf({ history, candidate: from })
  const to = repository.commit({ files: { 'README.md': 'the other way' }, parents: [first] })
  const now = (extra: Partial<Case> = {}): Case => ({
    history,
    candidate: repository.head(),
    start: { kind: 'accepted', state },
    ...extra,
  })
  return { repository, now, first, from, to, state }
}

/** The manifest again, at the generation that was accepted once. */
const raised = { [BOT]: manifest({ generation: 43 }) }

describe('a reset', () => {
  test('by enough people leads to where it says, and the walk goes on from there', async () => {
    const { repository, now, from, to } = await rewritten()
    repository.commit({ files: { ...raised, ...reset({ from, to }, bob, carol) }, by: alice })
    const { judged, message, state } = await accepted(now())
    expect(judged.map(({ commit }) => commit)).toEqual([repository.head()])
    expect(message).toMatch(/to which bob and carol reset the branch from/)
    expect(state.provenance['README.md']).toEqual({ commit: to, principal: undefined })
  })

  test('takes what lies before its end as it is, unsigned too', async () => {
    const { repository, now, from, first } = await rewritten()
    const to = repository.commit({ files: { 'README.md': 'x' }, by: 'nobody', parents: [first] })
    repository.commit({ files: { ...raised, ...reset({ from, to }, bob, carol) } })
    await accepted(now())
  })

  test('does not excuse what comes after its end', async () => {
    const { repository, now, from, to } = await rewritten()
    repository.commit({ files: reset({ from, to }, bob, carol), by: mallory })
    await refused(now(), 'UnknownSigner')
  })

  test('does not lower a generation for good', async () => {
    const { repository, now, from, to } = await rewritten()
    repository.commit({ files: reset({ from, to }, bob, carol) })
    const { mistakes } = await refused(
      now(),
      'RollbackOrRewrite',
      /has generation 42, and 43 was accepted before/,
    )
    expect(mistakes).toMatchObject([{ file: BOT }])
  })

  test('does not lower the generation of the trust root either', async () => {
    const root = rootYaml({ generation: 2 })
    const change = {
      'trust/root.yaml': root,
      ...approval({ path: 'trust/root.yaml', content: root, generation: 2 }, bob),
    }
    const { repository, now, from, to } = await rewritten({ change })
    repository.commit({ files: { ...raised, ...reset({ from, to }, bob, carol) } })
    await refused(now(), 'RollbackOrRewrite', /trust\/root\.yaml has generation 1, and 2/)
  })

  test('keeps the marks of files that the rewrite does not have', async () => {
    const other = { 'agents/prod/other.yaml': manifest({ agent: 'other', generation: 7 }) }
    const { repository, now, from, to } = await rewritten({ change: other })
    repository.commit({ files: { ...raised, ...reset({ from, to }, bob, carol) } })
    const { state } = await accepted(now())
    expect(state.marks['agents/prod/other.yaml']).toBe(7)
  })

  test('raises the marks to what it brings', async () => {
    const { repository, now, from, first } = await rewritten()
    const other = { 'agents/prod/other.yaml': manifest({ agent: 'other', generation: 9 }) }
    const to = repository.commit({ files: other, parents: [first] })
    repository.commit({ files: { ...raised, ...reset({ from, to }, bob, carol) } })
    const { state } = await accepted(now())
    expect(state.marks['agents/prod/other.yaml']).toBe(9)
  })

  test('may lead to a commit in the middle of the new branch, or to the newest of two', async () => {
    const { repository, now, from, to } = await rewritten()
    const later = repository.commit({ files: raised, by: mallory })
    repository.commit({ files: reset({ from, to }, bob, carol) })
    await refused(now(), 'UnknownSigner')
    repository.commit({ files: reset({ from, to: later }, bob, carol) })
    const { judged } = await accepted(now())
    expect(judged).toHaveLength(2)
  })

  test('is read only from a folder that is called by its digest', async () => {
    const { repository, now, from, to } = await rewritten()
    const files = Object.fromEntries(
      Object.entries(reset({ from, to }, bob, carol)).map(([path, text]) => [
        path.replace(/approvals\/../, 'approvals/00'),
        text,
      ]),
    )
    repository.commit({ files: { ...raised, ...files } })
    await refused(now(), 'RollbackOrRewrite')
  })
})

describe('a reset does not count', () => {
  test.each<
    [string, (ends: { from: string; to: string; first: string }) => Record<string, string>, RegExp?]
  >([
    ['by one person', ({ from, to }) => ({ ...reset({ from, to }, bob) }), /is signed by bob/],
    ['by nobody', ({ from, to }) => ({ ...reset({ from, to }) }), /by nobody who counts/],
    [
      'by one person and a developer',
      ({ from, to }) => ({ ...reset({ from, to }, bob, dave) }),
      /is signed by bob/,
    ],
    ['from another commit', ({ first, to }) => ({ ...reset({ from: first, to }, bob, carol) })],
    [
      'to a commit elsewhere',
      ({ from }) => ({ ...reset({ from, to: from }, bob, carol) }),
      /leads elsewhere/,
    ],
    [
      'of another repository',
      ({ from, to }) => ({
        ...signedStatement(
          {
            kind: 'Reset',
            repository: 'another-tenant',
            from,
            to,
            notAfter: '2030-01-01T00:00:00Z',
          },
          bob,
          carol,
        ),
      }),
    ],
    [
      'that has ended',
      ({ from, to }) => ({ ...reset({ from, to, notAfter: '2026-06-30T00:00:00Z' }, bob, carol) }),
      /ended at 2026-06-30/,
    ],
    [
      'that is an approval in truth',
      ({ from, to }) => ({
        ...signedStatement(
          {
            kind: 'Approval',
            repository: REPOSITORY_NAME,
            from,
            to,
            notAfter: '2030-01-01T00:00:00Z',
          },
          bob,
          carol,
        ),
      }),
    ],
    [
      'with names cut short',
      ({ from, to }) => ({ ...reset({ from: from.slice(0, 12), to }, bob, carol) }),
    ],
  ])('%s', async (_, statement, why) => {
    const { repository, now, from, to, first } = await rewritten()
    repository.commit({ files: { ...raised, ...statement({ from, to, first }) } })
    await refused(now(), 'RollbackOrRewrite', why ?? /does not follow/)
    // The same candidate with a sound one beside it: nothing else is wrong.
    repository.commit({ files: reset({ from, to }, alice, carol) })
    await accepted(now())
  })

  test('by people whom only the rewritten trust files name', async () => {
    const { repository, now, from, first } = await rewritten()
    const takenOver = rootYaml({
      generation: 9,
      spec: {
        roles: [{ name: 'owners', principals: ['mallory', 'dave'], paths: ['**'] }],
        approvals: Object.fromEntries(
          ['trust', 'rules', 'unrevoke'].map((name) => [
            name,
            { threshold: 1, principals: ['mallory'] },
          ]),
        ),
      },
    })
    const to = repository.commit({
      files: {
        'trust/root.yaml': takenOver,
        'trust/allowed_signers': allowedSigners(mallory, dave),
      },
      by: mallory,
      parents: [first],
    })
    repository.commit({ files: { ...raised, ...reset({ from, to }, mallory, dave) }, by: mallory })
    await refused(now(), 'RollbackOrRewrite', /signed by nobody who counts/)
    repository.commit({ files: reset({ from, to }, alice, bob), by: mallory })
    await accepted(now())
  })

  test('a second time: what was left behind is not the last accepted commit again', async () => {
    const { repository, now, from, to } = await rewritten()
    const crossed = repository.commit({ files: { ...raised, ...reset({ from, to }, bob, carol) } })
    const { state } = await accepted(now())
    const start = { kind: 'accepted', state } as const
    // Somebody puts the branch back to where it was before, with the very same statement on top.
    repository.commit({ files: reset({ from, to }, bob, carol), parents: [from] })
    await refused(now({ start }), 'RollbackOrRewrite', /does not follow/)
    expect(state.commit).toBe(crossed)
  })

  test('when the candidate was first seen after its end, however early its own end was', async () => {
    const { repository, now, from, to } = await rewritten()
    const notAfter = SEEN.toISOString().replace('.000Z', 'Z')
    repository.commit({ files: { ...raised, ...reset({ from, to, notAfter }, bob, carol) } })
    await accepted(now())
    await refused(now({ seen: new Date(SEEN.getTime() + 1000) }), 'RollbackOrRewrite', /ended at/)
  })
})

test('the refusal says how to make one', async () => {
  const { now, from, repository } = await rewritten()
  await refused(
    now(),
    'RollbackOrRewrite',
    `vouchsafe policy approve --reset ${from} ${repository.head()} --key ~/.ssh/id_ed25519`,
    /let 2 of alice, bob and carol run/,
  )
})
