/** What is remembered of an accepted candidate, how it is loaded again, and how little is read for the next one. */
import { describe, expect, test } from 'vitest'
import { loadAccepted } from '#src/policy/acceptance/load-accepted.ts'
import { BOT, bob, defaultFiles, manifest } from '../git/policy-repository.ts'
import { accepted, agreeingEngine, SEEN, scene } from './judging.ts'
import { waivable } from './manifests.ts'

const newer = { [BOT]: manifest({ generation: 43 }) }
const reading = { waivable, claimSchemas: new Map(), engine: agreeingEngine }

describe('what is remembered', () => {
  test('says for each file which accepted change touched it last, and forgets deleted ones', async () => {
    const { repository, now, state } = await scene({ ...defaultFiles, 'README.md': 'hello' })
    const changed = repository.commit({ files: newer, by: bob })
    repository.commit({ files: { 'README.md': null } })
    const { state: next, policy } = await accepted(now())
    expect(next.provenance).toEqual({
      [BOT]: { commit: changed, principal: 'bob' },
      'trust/allowed_signers': state.provenance['trust/allowed_signers'],
      'trust/root.yaml': state.provenance['trust/root.yaml'],
    })
    expect(policy.provenanceOf(BOT)).toEqual({ commit: changed, principal: 'bob' })
  })

  test('says nothing about files of which nothing is known', async () => {
    const { repository, now, state } = await scene()
    const changed = repository.commit({ files: newer, by: bob })
    const start = { kind: 'accepted', state: { ...state, provenance: {} } } as const
    const { state: next } = await accepted(now({ start }))
    expect(next.provenance).toEqual({ [BOT]: { commit: changed, principal: 'bob' } })
  })

  test('takes a path called __proto__ for any other', async () => {
    const { repository, now } = await scene()
    const commit = repository.commit({ files: Object.fromEntries([['__proto__', 'x']]) })
    const { state } = await accepted(now())
    expect(Object.getOwnPropertyDescriptor(state.provenance, '__proto__')?.value).toEqual({
      commit,
      principal: 'alice',
    })
  })

  test('is loaded again after a restart, without any judging', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: newer, by: bob })
    const { state } = await accepted(now())
    repository.forget()
    const loaded = await loadAccepted(state, { history: repository.history, reading })
    expect('policy' in loaded && loaded.policy).toMatchObject({
      commit: state.commit,
      digest: state.digest,
    })
    expect('policy' in loaded && loaded.policy.provenanceOf(BOT)?.principal).toBe('bob')
    expect([...repository.asked]).toEqual([['filesOf everything', 1]])
  })

  test('is not loaded from a clone that holds something else', async () => {
    const { repository, state } = await scene()
    const digest = `sha256:${'0'.repeat(64)}`
    const loaded = await loadAccepted(
      { ...state, digest },
      { history: repository.history, reading },
    )
    expect('message' in loaded && loaded.message).toMatch(/the clone was altered/)
  })

  test('is refused where this version no longer reads it', async () => {
    const { repository, state } = await scene()
    const history = {
      ...repository.history,
      filesOf: async () => [{ path: 'README.md', bytes: new Uint8Array() }],
    }
    const { policyDigest } = await import('#src/policy/policy.ts')
    const digest = policyDigest(await history.filesOf())
    const loaded = await loadAccepted({ ...state, digest }, { history, reading })
    expect('message' in loaded && loaded.message).toMatch(/this version of the program refuses it/)
  })
})

describe('the work', () => {
  test('for one commit with one manifest among a thousand is a handful of questions', async () => {
    const bots = Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [
        `agents/prod/bot-${index}.yaml`,
        manifest({ agent: `bot-${index}` }),
      ]),
    )
    const { repository, now } = await scene({ ...defaultFiles, ...bots })
    const { policy: previous } = await accepted(now())
    const path = 'agents/prod/bot-7.yaml'
    repository.commit({ files: { [path]: manifest({ agent: 'bot-7', generation: 43 }) } })
    repository.forget()
    await accepted(now({ reading: { previous } }))
    expect(Object.fromEntries(repository.asked)).toEqual({
      firstParents: 1,
      commitObject: 1,
      changedPaths: 1,
      'filesOf some': 1,
      'filesOf everything': 2,
    })
  })

  test('reads trust files once for many commits that leave them alone', async () => {
    const { repository, now } = await scene()
    for (let generation = 43; generation < 63; generation++)
      repository.commit({ files: { [BOT]: manifest({ generation }) } })
    const { policy: previous } = await accepted({
      ...now(),
      candidate: (await scene()).state.commit,
    })
    repository.forget()
    await accepted(now({ reading: { previous } }))
    expect(repository.asked.get('filesOf some')).toBe(20)
  })

  test('of asking for first sights is done once for whoever is not known, and once for all commits', async () => {
    const { repository, now } = await scene()
    const commits = [repository.commit({ files: newer }), repository.commit({})]
    const asked: (readonly string[])[] = []
    const { judgeCandidate } = await import('#src/policy/acceptance/acceptance.ts')
    const { candidate, history, start } = now()
    await judgeCandidate({
      candidate,
      history,
      start: start ?? { kind: 'first-commit' },
      reading,
      firstSeen: async (names) => {
        asked.push(names)
        return new Map(names.map((name) => [name, SEEN]))
      },
    })
    expect(asked).toEqual([[commits[0]], commits])
  })
})
