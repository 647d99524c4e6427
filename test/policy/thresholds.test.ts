import { describe, expect, test } from 'vitest'
import { sshKeyOf } from '#src/policy/signatures/ssh-key.ts'
import {
  type ApprovalOf,
  alice,
  allowedSigners,
  approval,
  BOT,
  bob,
  carol,
  dave,
  defaultFiles,
  mallory,
  manifest,
  rootSpec,
  rootYaml,
} from '../git/policy-repository.ts'
import { accepted, refused, revokedYaml, rulesYaml, scene } from './judging.ts'

const PATH = 'rules/base.yaml'
const rules = { [PATH]: rulesYaml(1) }
const needed: ApprovalOf = { path: PATH, content: rulesYaml(1), generation: 1 }
type Files = Readonly<Record<string, string>>

function ownersWith(change: object): Files {
  const approvals = { ...rootSpec.approvals, ...change }
  return { ...defaultFiles, 'trust/root.yaml': rootYaml({ spec: { ...rootSpec, approvals } }) }
}

describe('what needs approval', () => {
  test.each<[string, Files]>([
    ['a file under trust/', { 'trust/README.md': 'hello' }],
    [
      'the allowed signers',
      { 'trust/allowed_signers': allowedSigners(alice, bob, carol, dave, mallory) },
    ],
    ['the root', {}],
  ])('%s, for the generation of the new root', async (_, change) => {
    const { repository, now } = await scene()
    const files: Files = { 'trust/root.yaml': rootYaml({ generation: 2 }), ...change }
    repository.commit({ files })
    await refused(now(), 'ApprovalMissing', /generation 2\) needs 2 of .*spec\.approvals\.trust/)
    const approvals = Object.entries(files).map(([path, content]) =>
      approval({ path, content, generation: 2 }, bob),
    )
    repository.commit({ files: Object.assign({}, ...approvals) })
    await accepted(now())
  })

  test('a rule that leaves its folder, and one that enters it', async () => {
    const { repository, now } = await scene({ ...defaultFiles, ...rules })
    repository.commit({ files: { [PATH]: null, 'notes/base.yaml': rulesYaml(1) } })
    await refused(
      now(),
      'ApprovalMissing',
      /base\.yaml \(its deletion, generation 1\)/,
      /--delete --key/,
    )
    repository.commit({ files: approval({ ...needed, content: null }, bob) })
    await accepted(now())
    const back = { path: 'rules/again.yaml', content: rulesYaml(1), generation: 1 }
    repository.commit({ files: { 'notes/base.yaml': null, [back.path]: back.content } })
    await refused(now(), 'ApprovalMissing', /rules\/again\.yaml \(sha256/)
    repository.commit({ files: approval(back, bob) })
    await accepted(now())
  })

  test('nothing, for approvals themselves, even where a pattern names them', async () => {
    const everything = ownersWith({
      paths: [{ paths: ['**'], threshold: 2, principals: ['alice', 'bob', 'carol'] }],
    })
    const { repository, now } = await scene(everything)
    const content = 'hello'
    repository.commit({
      files: {
        'README.md': content,
        ...approval({ path: 'README.md', content, generation: 0 }, bob),
      },
    })
    await accepted(now())
  })

  test('every path that a pattern names, by everybody who is asked', async () => {
    const strict = ownersWith({
      paths: [
        { paths: ['agents/prod/**'], threshold: 1, principals: ['carol'] },
        { paths: ['agents/*/invoice-bot.yaml'], threshold: 2, principals: ['alice', 'bob'] },
      ],
    })
    const content = manifest({ generation: 43 })
    const one: ApprovalOf = { path: BOT, content, generation: 43 }
    const { repository, now } = await scene(strict)
    repository.commit({ files: { [BOT]: content, ...approval(one, bob) } })
    await refused(now(), 'ApprovalMissing', /needs 1 of carol \(spec\.approvals\.paths\[0\]/)
    repository.commit({ files: approval(one, carol, bob) })
    const { judged } = await accepted(now())
    expect(judged[0]?.approvals).toEqual({ [BOT]: ['alice', 'bob', 'carol'] })
  })

  test('each commit’s own content, and not only the last', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: rules })
    repository.commit({ files: { [PATH]: rulesYaml(2) } })
    const second = { ...needed, content: rulesYaml(2), generation: 2 }
    repository.commit({ files: approval(second, bob) })
    await refused(
      now(),
      'ApprovalMissing',
      /generation 1\) needs/,
      /Commit [0-9a-f]{12} changes it again, .* join the commits into one/,
    )
    repository.commit({ files: approval(needed, bob) })
    await accepted(now())
  })
})

describe('what leaves revoked/', () => {
  const [one, two] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`]
  const files = { ...defaultFiles, 'revoked/a.yaml': revokedYaml(5, { digests: [one, two] }) }

  test.each<[string, Readonly<Record<string, string | null>>]>([
    [
      'more entries',
      { 'revoked/a.yaml': revokedYaml(6, { digests: [one, two, `sha256:${'3'.repeat(64)}`] }) },
    ],
    ['another file', { 'revoked/b.yaml': revokedYaml(1, { digests: [one] }) }],
    [
      'another reason',
      { 'revoked/a.yaml': revokedYaml(6, { digests: [one, two] }).replaceAll('lost', 'stolen') },
    ],
    [
      'an entry that moves to another file',
      {
        'revoked/a.yaml': revokedYaml(6, { digests: [one] }),
        'revoked/b.yaml': revokedYaml(1, { digests: [two] }),
      },
    ],
    [
      'a file that moves as a whole',
      { 'revoked/a.yaml': null, 'revoked/b.yaml': revokedYaml(1, { digests: [two, one] }) },
    ],
  ])('does not with %s', async (_, change) => {
    const { repository, now } = await scene(files)
    repository.commit({ files: change })
    const { judged } = await accepted(now())
    expect(judged[0]?.approvals).toEqual({})
  })

  test.each<[string, string | null, number]>([
    ['an entry that is gone', revokedYaml(6, { digests: [one] }), 6],
    ['a deleted file', null, 5],
    ['a file that cannot be read', 'broken', 0],
    ['an entry of another kind', revokedYaml(6, { digests: [one], signerKeys: [] }), 6],
  ])('needs approval: %s', async (_, content, generation) => {
    const path = 'revoked/a.yaml'
    const { repository, now } = await scene(files)
    repository.commit({ files: { [path]: content } })
    await refused(now(), 'ApprovalMissing', /spec\.approvals\.unrevoke/)
    repository.commit({ files: approval({ path, content, generation }, carol) })
    // Whole again, for a broken file is no policy.
    repository.commit({ files: { [path]: revokedYaml(7, { digests: [one, two] }) } })
    await accepted(now())
  })

  test('is an entry that moves to a list in which it means something else', async () => {
    const content = revokedYaml(6, { digests: [one] }).replace(
      'signerKeys',
      `platforms: [{value: "${two}", reason: lost}]\n  signerKeys`,
    )
    const { repository, now } = await scene(files)
    repository.commit({ files: { 'revoked/a.yaml': content } })
    await refused(now(), 'ApprovalMissing', /unrevoke/)
  })

  test('and moves out of every folder of ours needs it too', async () => {
    const { repository, now } = await scene(files)
    repository.commit({
      files: { 'revoked/a.yaml': null, 'notes/a.yaml': revokedYaml(5, { digests: [one, two] }) },
    })
    await refused(now(), 'ApprovalMissing', /unrevoke/)
  })

  test('is a key that its own holder takes off the list with another one', async () => {
    const { fingerprint } = sshKeyOf(dave.publicKey)
    const keys = { 'revoked/k.yaml': revokedYaml(1, { signerKeys: [fingerprint] }) }
    const { repository, now } = await scene({ ...defaultFiles, ...keys })
    repository.commit({ files: { 'revoked/k.yaml': null }, by: bob })
    await refused(now(), 'ApprovalMissing', /has 1: bob/)
  })
})
