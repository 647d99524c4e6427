/**
 * Histories that nobody thought of: people do what they like, without a single approval. Whatever is accepted must then have
 * left alone what needs two, and must be somebody's whose it was to change.
 */
import { expect, test } from 'vitest'
import { judgeCandidate } from '#src/policy/acceptance/acceptance.ts'
import {
  alice,
  allowedSigners,
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
import { agreeingEngine, revokedYaml, rulesYaml, SEEN, scene } from './judging.ts'
import { waivable } from './manifests.ts'

const DEV = 'agents/dev/invoice-bot.yaml'
const RULES = 'rules/base.yaml'
const LIST = 'revoked/list.yaml'
const [one, two] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`]
const people = [alice, alice, bob, dave, dave, mallory, 'nobody'] as const
const loose = { threshold: 1, principals: ['alice', 'bob', 'carol'] }
const changes: readonly Readonly<Record<string, string | null>>[] = [
  ...[41, 42, 43, 44].map((generation) => ({ [BOT]: manifest({ generation }) })),
  ...[1, 2, 3].map((generation) => ({ [DEV]: manifest({ generation }) })),
  { 'trust/root.yaml': rootYaml({ generation: 2 }) },
  {
    'trust/root.yaml': rootYaml({
      generation: 2,
      spec: { ...rootSpec, approvals: { trust: loose, rules: loose, unrevoke: loose } },
    }),
  },
  { 'trust/allowed_signers': allowedSigners(alice, bob, carol, dave, mallory) },
  { 'trust/allowed_signers': null },
  { [RULES]: rulesYaml(2) },
  { [RULES]: null },
  { [RULES]: null, 'config/base.yaml': rulesYaml(2) },
  { [LIST]: revokedYaml(2, { digests: [one, two] }) },
  { [LIST]: revokedYaml(2, {}) },
  { [LIST]: revokedYaml(3, { digests: [two, one] }) },
  { [LIST]: null, 'revoked/moved.yaml': revokedYaml(1, { digests: [one] }) },
  { [LIST]: null },
  { 'README.md': 'hello' },
  { 'notes.txt': 'hello', [BOT]: null },
  {},
]

/** mulberry32: the same sequence for the same seed, everywhere. */
function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides
  }
}

test('nothing that needs two is changed by one, in hundreds of them', async () => {
  const start = {
    ...defaultFiles,
    [RULES]: rulesYaml(1),
    [LIST]: revokedYaml(1, { digests: [one] }),
  }
  const { repository, state } = await scene(start)
  const outcomes = new Map<string, number>()
  for (let seed = 0; seed < 500; seed++) {
    const roll = dice(seed)
    const signers: (typeof people)[number][] = []
    let parent = state.commit
    for (let length = 1 + roll(3); length > 0; length--) {
      const by = people[roll(people.length)] ?? alice
      const present = repository.filesAt(parent)
      const change = Object.entries(changes[roll(changes.length)] ?? {}).filter(
        ([path, content]) => content !== null || present.has(path),
      )
      // At times a merge, whose other side nobody has looked at.
      const other = roll(4) === 0 ? [repository.commit({ by: mallory, parents: [parent] })] : []
      signers.push(by)
      parent = repository.commit({
        files: Object.fromEntries(change),
        by,
        parents: [parent, ...other],
      })
    }
    const acceptance = await judgeCandidate({
      candidate: parent,
      start: { kind: 'accepted', state },
      history: repository.history,
      firstSeen: async (commits) => new Map(commits.map((commit) => [commit, SEEN])),
      reading: { waivable, claimSchemas: new Map(), engine: agreeingEngine },
    })
    const outcome = acceptance.accepted ? 'accepted' : acceptance.condition
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    if (!acceptance.accepted) continue

    const textOf = (commit: string, path: string) =>
      Buffer.from(repository.filesAt(commit).get(path) ?? []).toString()
    for (const path of ['trust/root.yaml', 'trust/allowed_signers', RULES])
      expect(textOf(parent, path), `seed ${seed}, ${path}`).toBe(textOf(state.commit, path))
    expect(acceptance.policy.revocations.digests.has('1'.repeat(64)), `seed ${seed}`).toBe(true)
    expect(signers, `seed ${seed}`).not.toContain(mallory)
    expect(signers, `seed ${seed}`).not.toContain('nobody')
    if (signers.every((by) => by === dave))
      expect(textOf(parent, BOT), `seed ${seed}`).toBe(textOf(state.commit, BOT))
    for (const [path, mark] of Object.entries(state.marks))
      expect(acceptance.state.marks[path], `seed ${seed}, ${path}`).toBeGreaterThanOrEqual(mark)
  }
  // Each way out was taken, or the test would have shown little.
  for (const outcome of [
    'accepted',
    'UnknownSigner',
    'ApprovalMissing',
    'RollbackOrRewrite',
    'SchemaInvalid',
  ])
    expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(10)
})
