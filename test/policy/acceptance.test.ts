/** Which commits may follow: their signers, roles, ancestry, merges, and changes of trust itself. */
import { describe, expect, test } from 'vitest'
import { sshKeyOf } from '#src/policy/signatures/ssh-key.ts'
import {
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
  type Person,
  person,
  rootSpec,
  rootYaml,
  signerLine,
} from '../git/policy-repository.ts'
import { accepted, refused, revokedYaml, scene, stateOf } from './judging.ts'
import { memoryRepository } from './memory-history.ts'

const DEV = 'agents/dev/invoice-bot.yaml'
const newer = { [BOT]: manifest({ generation: 43 }) }

describe('the signer', () => {
  test('of each commit is known by its key, whatever name it claims', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: { [DEV]: manifest() }, by: dave })
    repository.commit({ files: newer, by: bob })
    const { judged } = await accepted(now())
    expect(judged.map(({ principal }) => principal)).toEqual(['dave', 'bob'])
  })

  test('must be there', async () => {
    const { repository, now } = await scene()
    const unsigned = repository.commit({ files: newer, by: 'nobody' })
    repository.commit({ by: alice })
    const { commit } = await refused(now(), 'UnknownSigner', /not signed.*git commit -S/s)
    expect(commit).toBe(unsigned)
  })

  test('must be in the allowed signers', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: newer, by: mallory })
    await refused(
      now(),
      'UnknownSigner',
      /not in trust\/allowed_signers/,
      /git commit --amend -S.*--force-with-lease/,
    )
  })

  test('signs the commit as it is, and not another one', async () => {
    const { repository, now } = await scene()
    const other = repository.commit({ files: newer })
    const raw = Buffer.from(await repository.history.commitObject(other)).toString()
    const [, signature = ''] =
      /gpgsig (-----BEGIN[\s\S]*?-----END SSH SIGNATURE-----)/.exec(raw) ?? []
    repository.commit({ parents: [now().candidate], sign: () => signature.replaceAll('\n ', '\n') })
    await refused(now(), 'UnknownSigner', /signature/)
  })

  test.each<[string, Person, string]>([
    ['is valid when the commit is first seen', alice, ''],
    ['has ended by then', dave, 'valid-before="20260601Z"'],
    ['has not begun by then', dave, 'valid-after="20260801Z"'],
    ['is for approvals only', dave, 'namespaces="vouchsafe-approval@v1"'],
  ])('needs a key that %s', async (_, by, options) => {
    const signers = allowedSigners(alice, bob, carol) + signerLine(dave, options)
    const { repository, now } = await scene({ ...defaultFiles, 'trust/allowed_signers': signers })
    repository.commit({ files: { [DEV]: manifest() }, by, at: new Date('2026-05-01T00:00:00Z') })
    if (by === alice) await accepted(now())
    else await refused(now(), 'UnknownSigner', /of dave/)
  })

  test('is judged by when his commit was first seen, which is remembered', async () => {
    const signers = allowedSigners(alice, bob, carol) + signerLine(dave, 'valid-before="20260601Z"')
    const { repository, now } = await scene({ ...defaultFiles, 'trust/allowed_signers': signers })
    const commit = repository.commit({ files: { [DEV]: manifest() }, by: dave })
    await accepted(now({ seen: new Map([[commit, new Date('2026-05-01T00:00:00Z')]]) }))
  })

  test('has a key that no revocation of the parent names', async () => {
    const { fingerprint } = sshKeyOf(dave.publicKey)
    const revoked = { 'revoked/keys.yaml': revokedYaml(1, { signerKeys: [fingerprint] }) }
    const { repository, now } = await scene()
    repository.commit({ files: revoked, by: bob })
    await accepted(now())
    repository.commit({ files: { [DEV]: manifest() }, by: dave })
    await refused(now(), 'UnknownSigner', /of dave is revoked \(lost\)/)
  })

  test('may revoke his own key with it', async () => {
    const { fingerprint } = sshKeyOf(alice.publicKey)
    const { repository, now } = await scene()
    repository.commit({
      files: { 'revoked/keys.yaml': revokedYaml(1, { signerKeys: [fingerprint] }) },
    })
    await accepted(now())
    repository.commit({ files: newer })
    await refused(now(), 'UnknownSigner', /revoked/)
  })

  test('has several keys and is still one', async () => {
    const other = person('alice', 'second key')
    const signers = defaultFiles['trust/allowed_signers'] + signerLine(other)
    const { repository, now } = await scene({ ...defaultFiles, 'trust/allowed_signers': signers })
    repository.commit({ files: newer, by: other })
    const { judged } = await accepted(now())
    expect(judged[0]?.principal).toBe('alice')
  })
})

describe('roles', () => {
  test.each([
    ['another environment', BOT, manifest({ generation: 43 })],
    ['a file outside every folder', 'README.md', 'hello'],
    ['a revocation', 'revoked/more.yaml', revokedYaml(1, {})],
    ['a folder that only looks alike', 'agents/dev2/invoice-bot.yaml', manifest()],
  ])('keep a developer from changing %s', async (_, path, content) => {
    const { repository, now } = await scene()
    repository.commit({ files: { [DEV]: manifest(), [path]: content }, by: dave })
    await refused(
      now(),
      'UnknownSigner',
      new RegExp(
        `dave signed it.*${path}.*developers: agents/dev/.*Let alice, bob or carol sign`,
        's',
      ),
    )
  })

  test('keep a developer from deleting what is not his', async () => {
    const { repository, now } = await scene({ ...defaultFiles, 'README.md': 'hello' })
    repository.commit({ files: { 'README.md': null }, by: dave })
    await refused(now(), 'UnknownSigner', /README\.md/)
  })

  test('are those of the parent: nobody gives himself one', async () => {
    const spec = { ...rootSpec, roles: [{ name: 'all', principals: ['dave'], paths: ['**'] }] }
    const root = rootYaml({ generation: 2, spec })
    const change = { path: 'trust/root.yaml', content: root, generation: 2 }
    const files = { 'trust/root.yaml': root, ...approval(change, alice, bob) }
    const { repository, now } = await scene()
    repository.commit({ files, by: dave })
    await refused(now(), 'UnknownSigner', /trust\/root\.yaml/)
  })

  test('do not matter for approvals, which anybody with a key may bring', async () => {
    const files = approval({ path: BOT, content: 'x', generation: 1 }, bob)
    const { repository, now } = await scene()
    repository.commit({ files, by: dave })
    await accepted(now())
    repository.commit({ files, by: mallory })
    await refused(now(), 'UnknownSigner')
  })

  test('are not needed for a commit that changes nothing', async () => {
    const { repository, now, state } = await scene()
    repository.commit({ by: dave })
    const { state: next } = await accepted(now())
    expect(next.digest).toBe(state.digest)
    expect(next.provenance).toEqual(state.provenance)
  })
})

describe('ancestry', () => {
  test('a candidate that is accepted already stays so, and nothing is judged', async () => {
    const { now, state } = await scene()
    const again = await accepted(now())
    expect(again.judged).toEqual([])
    expect(again.state).toEqual(state)
  })

  test('a candidate behind the last accepted commit is a rollback', async () => {
    const repository = memoryRepository()
    const first = repository.head()
    repository.commit({ files: newer })
    const { history } = repository
    const state = await stateOf({ history, candidate: repository.head() })
    const start = { kind: 'accepted', state } as const
    await refused(
      { history, candidate: first, start },
      'RollbackOrRewrite',
      /moved back, rewritten/,
      `vouchsafe policy approve --reset ${state.commit} ${first} --key`,
    )
  })

  test.each([
    ['beside it', (parent: string) => [parent]],
    ['with no history at all', () => []],
  ])('a candidate %s is a rewrite', async (_, parents) => {
    const repository = memoryRepository()
    const first = repository.head()
    repository.commit({ files: newer })
    const { history } = repository
    const state = await stateOf({ history, candidate: repository.head() })
    repository.commit({ files: defaultFiles, parents: parents(first) })
    const candidate = repository.head()
    await refused({ history, candidate, start: { kind: 'accepted', state } }, 'RollbackOrRewrite')
  })

  test('a foxtrot merge, with the accepted commit as second parent, is a rewrite', async () => {
    const { repository, now, state } = await scene()
    repository.commit({ files: newer })
    const aside = repository.commit({ files: defaultFiles, parents: [] })
    repository.commit({ parents: [aside, state.commit] })
    await refused(now(), 'RollbackOrRewrite', /merged the wrong way round/)
  })

  test('the content of the last accepted commit must be what was accepted', async () => {
    const { repository, now, state } = await scene()
    repository.commit({ files: newer })
    const start = {
      kind: 'accepted',
      state: { ...state, digest: `sha256:${'0'.repeat(64)}` },
    } as const
    await refused(now({ start }), 'RollbackOrRewrite', /the clone was altered/)
  })

  test('a commit under another one’s name is found out', async () => {
    const { repository, now, state } = await scene()
    const bad = repository.commit({ files: newer, by: mallory })
    const good = repository.commit({ files: newer, by: alice, parents: [state.commit] })
    repository.replace(bad, good)
    await refused(now({ candidate: bad }), 'RollbackOrRewrite', /something stands in for it/)
    await accepted(now({ candidate: good }))
  })

  test('commits must follow each other as their own bytes say', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: newer, by: mallory })
    const last = repository.commit({})
    const history = {
      ...repository.history,
      firstParents: async () => [last],
    }
    await refused(now({ history }), 'RollbackOrRewrite', /shows another history/)
  })

  test('SHA-256 repositories are judged alike', async () => {
    const repository = memoryRepository({ objectFormat: 'sha256' })
    repository.commit({ files: newer })
    expect(repository.head()).toHaveLength(64)
    await accepted({ history: repository.history, candidate: repository.head() })
  })

  test('more than 2,000 commits are not judged at once', async () => {
    const { repository, now } = await scene()
    const many = Array.from({ length: 2001 }, (_, index) => String(index).padStart(40, '0'))
    const history = { ...repository.history, firstParents: async () => many }
    await refused(
      now({ history, candidate: '2'.padStart(40, '0') }),
      'RollbackOrRewrite',
      /at most 2000 are judged at once/,
      `point to ${many[1999]} first`,
    )
  })
})

describe('a merge', () => {
  test('is judged by what it changes against its first parent, whoever signed the other side', async () => {
    const { repository, now, state } = await scene()
    const side = repository.commit({ files: newer, by: mallory, parents: [state.commit] })
    repository.commit({ files: newer, by: alice, parents: [state.commit, side] })
    const { judged } = await accepted(now())
    expect(judged).toHaveLength(1)
  })

  test('brings nothing in that its own signer may not change', async () => {
    const { repository, now, state } = await scene()
    const side = repository.commit({ files: newer, by: alice, parents: [state.commit] })
    repository.commit({ files: newer, by: dave, parents: [state.commit, side] })
    await refused(now(), 'UnknownSigner', /dave signed it/)
  })

  test('of many parents is judged by the first', async () => {
    const { repository, now, state } = await scene()
    const sides = [1, 2, 3].map(() => repository.commit({ by: mallory, parents: [state.commit] }))
    repository.commit({ files: newer, parents: [state.commit, ...sides] })
    await accepted(now())
  })

  test('of branches that crossed is judged along its first parents', async () => {
    const { repository, now, state } = await scene()
    const left = repository.commit({ files: newer, parents: [state.commit] })
    const right = repository.commit({
      files: { [DEV]: manifest() },
      by: dave,
      parents: [state.commit],
    })
    const one = repository.commit({ files: { [DEV]: manifest() }, parents: [left, right] })
    repository.commit({ files: newer, by: dave, parents: [right, left] })
    const other = repository.head()
    repository.commit({ parents: [one, other] })
    await accepted(now())
    // The same merge seen from the other side rests on the commit by which dave took in what is not his.
    repository.commit({ parents: [other, one] })
    const { commit } = await refused(now(), 'UnknownSigner', /dave signed it/)
    expect(commit).toBe(other)
  })
})

describe('trust that changes', () => {
  const signers = allowedSigners(alice, bob, carol, dave, mallory)
  const root = rootYaml({
    generation: 2,
    spec: {
      ...rootSpec,
      roles: [{ name: 'owners', principals: ['alice', 'bob', 'carol', 'mallory'], paths: ['**'] }],
    },
  })
  const change = (generation: number) => ({
    'trust/root.yaml': root,
    'trust/allowed_signers': signers,
    ...approval({ path: 'trust/root.yaml', content: root, generation }, bob),
    ...approval({ path: 'trust/allowed_signers', content: signers, generation }, bob),
  })

  test('counts from the next commit on', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: change(2) })
    repository.commit({ files: newer, by: mallory })
    await accepted(now())
  })

  test('does not count for the commit that changes it', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: { ...change(2), ...newer }, by: mallory })
    await refused(now(), 'UnknownSigner', /not in trust\/allowed_signers/)
  })

  test('takes a key away from the next commit of the same push on', async () => {
    const fewer = allowedSigners(alice, bob, carol)
    const spec = { ...rootSpec, roles: rootSpec.roles.slice(0, 1) }
    const without = rootYaml({ generation: 2, spec })
    const files = {
      'trust/root.yaml': without,
      'trust/allowed_signers': fewer,
      ...approval({ path: 'trust/root.yaml', content: without, generation: 2 }, bob),
      ...approval({ path: 'trust/allowed_signers', content: fewer, generation: 2 }, bob),
    }
    const { repository, now } = await scene()
    repository.commit({ files })
    await accepted(now())
    repository.commit({ files: { [DEV]: manifest() }, by: dave })
    await refused(now(), 'UnknownSigner', /not in trust\/allowed_signers/)
  })

  test('must be readable after every commit, not only after the last', async () => {
    const { repository, now } = await scene()
    const broken = 'not a trust root'
    const files = {
      'trust/root.yaml': broken,
      ...approval({ path: 'trust/root.yaml', content: broken, generation: 2 }, bob),
    }
    const bad = repository.commit({ files })
    const again = rootYaml({ generation: 3 })
    repository.commit({
      files: {
        'trust/root.yaml': again,
        ...approval({ path: 'trust/root.yaml', content: again, generation: 3 }, bob),
      },
    })
    const { commit, mistakes } = await refused(now(), 'SchemaInvalid', /trust\/root\.yaml:1:1/)
    expect(commit).toBe(bad)
    expect(mistakes[0]?.file).toBe('trust/root.yaml')
  })

  test('is never deleted', async () => {
    const { repository, now } = await scene()
    const deletion = { path: 'trust/root.yaml', content: null, generation: 2 }
    repository.commit({ files: { 'trust/root.yaml': null, ...approval(deletion, bob) } })
    await refused(now(), 'SchemaInvalid', /trust\/root\.yaml/)
  })
})
