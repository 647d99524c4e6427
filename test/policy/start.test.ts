/** Where judging begins, and what is taken on whose word. */
import { describe, expect, test } from 'vitest'
import {
  approval,
  BOT,
  bob,
  carol,
  dave,
  defaultFiles,
  mallory,
  manifest,
} from '../git/policy-repository.ts'
import { accepted, refused, rulesYaml, scene } from './judging.ts'
import { memoryRepository } from './memory-history.ts'

const newer = { [BOT]: manifest({ generation: 43 }) }

describe('the beginning', () => {
  test('at a commit that configuration names takes it as it is, unsigned and unapproved', async () => {
    const repository = memoryRepository({ files: {} })
    repository.commit({ files: { ...defaultFiles, 'rules/base.yaml': rulesYaml(7) }, by: 'nobody' })
    const first = repository.head()
    repository.commit({ files: newer })
    const one = { history: repository.history, candidate: repository.head() }
    const { state, judged, message } = await accepted({
      ...one,
      start: { kind: 'commit', commit: first },
    })
    expect(judged).toHaveLength(1)
    expect(state.marks).toEqual({ [BOT]: 43, 'rules/base.yaml': 7, 'trust/root.yaml': 1 })
    expect(state.provenance[BOT]).toEqual({ commit: repository.head(), principal: 'alice' })
    expect(state.provenance['rules/base.yaml']).toEqual({ commit: first, principal: undefined })
    expect(message).toMatch(/because configuration names it/)
  })

  test('at a commit that is not behind the candidate is refused', async () => {
    const { repository, now } = await scene()
    const pinned = repository.commit({ files: newer })
    repository.commit({ files: newer, parents: [] })
    const start = { kind: 'commit', commit: pinned } as const
    await refused(now({ start }), 'RollbackOrRewrite', /configured commit/)
  })

  test('at trust files judges everything else in the oldest commit that has them', async () => {
    const repository = memoryRepository({ files: {} })
    repository.commit({ files: { 'README.md': 'before' }, by: 'nobody' })
    const founding = repository.commit({ files: defaultFiles })
    repository.commit({ files: newer, by: bob })
    const one = { history: repository.history, candidate: repository.head() }
    const { trustDigest } = await import('#src/policy/policy.ts')
    const digest = trustDigest(await repository.history.filesOf(founding))
    const { state, judged, message } = await accepted({
      ...one,
      start: { kind: 'trust-digest', digest },
    })
    expect(judged.map(({ principal }) => principal)).toEqual(['alice', 'bob'])
    expect(state.provenance['README.md']).toEqual({ commit: founding, principal: 'alice' })
    expect(state.provenance['trust/root.yaml']?.commit).toBe(founding)
    expect(state.marks).toEqual({ [BOT]: 43, 'trust/root.yaml': 1 })
    expect(message).toMatch(digest)
    await refused(
      { ...one, start: { kind: 'trust-digest', digest: `sha256:${'0'.repeat(64)}` } },
      'RollbackOrRewrite',
      /none of the 3 commits/,
    )
  })

  test('at trust files needs their own signer, roles and approvals for the rest', async () => {
    const files = { ...defaultFiles, 'rules/base.yaml': rulesYaml(1) }
    const lone = memoryRepository({ files })
    await refused(
      { history: lone.history, candidate: lone.head() },
      'ApprovalMissing',
      /rules\/base/,
    )
    const rules = { path: 'rules/base.yaml', content: rulesYaml(1), generation: 1 }
    const both = memoryRepository({ files: { ...files, ...approval(rules, carol) } })
    await accepted({ history: both.history, candidate: both.head() })
    const stranger = memoryRepository({ files: {} })
    stranger.commit({ files: defaultFiles, by: mallory })
    await refused({ history: stranger.history, candidate: stranger.head() }, 'UnknownSigner')
    stranger.commit({ files: defaultFiles, by: dave, parents: [] })
    await refused(
      { history: stranger.history, candidate: stranger.head() },
      'UnknownSigner',
      /dave/,
    )
  })

  test('at the first commit says that nobody vouches for it', async () => {
    const repository = memoryRepository()
    const { message } = await accepted({
      history: repository.history,
      candidate: repository.head(),
    })
    expect(message).toMatch(/nobody vouches for/)
  })

  test('finds no trust files in a repository that has none', async () => {
    const repository = memoryRepository({ files: { 'README.md': 'hello' } })
    const one = { history: repository.history, candidate: repository.head() }
    await refused(one, 'SchemaInvalid', /trust\/root\.yaml:1:1: this file is missing/)
  })

  test('does not take revocations on trust that cannot be read', async () => {
    const repository = memoryRepository({ files: { ...defaultFiles, 'revoked/a.yaml': 'broken' } })
    repository.commit({ files: { 'revoked/a.yaml': null } })
    const one = { history: repository.history, candidate: repository.head() }
    await refused(one, 'SchemaInvalid', /revoked\/a\.yaml:1:1/)
  })
})
