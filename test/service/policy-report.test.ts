/** What operators are told about a policy, and what is forgotten when it is old. */
import { describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { systemRandom } from '#src/adapters/system.ts'
import type { Policy } from '#src/policy/policy.ts'
import { denialsTime, policyLeaf } from '#src/service/log-leaves.ts'
import type { PendingLeaf } from '#src/service/log-ports.ts'
import { decideAlike } from '#src/service/policy-comparison.ts'
import type { PolicyCondition } from '#src/service/policy-ports.ts'
import { policyReport } from '#src/service/policy-report.ts'
import type { Store } from '#src/service/ports.ts'
import { forgetOld } from '#src/service/retention.ts'
import type { Tenant } from '#src/service/verifier.ts'
import { AT, snpMachine, stored } from './fleet.ts'
import { decide, openedLog } from './log-scene.ts'
import { BOT, manifest, policyOf, rule, rulesAnswering } from './policies.ts'

const HOUR = 3600_000
const DAY = 24 * HOUR
const ago = (ms: number) => new Date(AT.getTime() - ms)
const synced: PolicyCondition = { name: 'Synced', message: 'm', since: AT, commit: 'c' }

/** Only what a report reads. */
function serving(store: Store, policy: Policy | undefined) {
  const source = {
    accepted: () => policy,
    conditions: () => [synced],
    refresh: async () => {},
  }
  return { store, tenants: new Map([['t', { name: 't', policy: source } as unknown as Tenant]]) }
}

async function accepting(store: Store, { commit, digest }: Policy): Promise<void> {
  const record = { tenant: 't', sequence: 1, commit, digest, marks: {}, provenance: {} }
  const accepted = { ...record, acceptedAt: ago(60_000) }
  await store.acceptPolicy(undefined, accepted, policyLeaf(accepted, systemRandom))
}

describe('a report', () => {
  test('tells what is accepted, what this replica enforces, and who lags', async () => {
    const store = memoryStore()
    const heartbeat = { notAfter: AT, graceSeconds: 60 }
    const policy = policyOf({ heartbeat, rules: rulesAnswering([rule('a')], () => []) })
    const { commit, digest } = policy
    await accepting(store, policy)
    const point = { tenant: 't', kind: 'verifier', commit, digest, reportedAt: AT } as const
    await store.reportEnforcement({ ...point, name: 'one' })
    await store.reportEnforcement({ ...point, name: 'two', commit: 'old', digest: 'old' })
    expect(await policyReport(serving(store, policy), 't', AT)).toEqual({
      tenant: 't',
      conditions: [synced],
      accepted: { commit, digest, since: ago(60_000), sequence: 1 },
      enforced: { commit, digest, repository: 'example-policy', releases: 1, rules: 1, heartbeat },
      enforcementPoints: [
        { ...point, name: 'one', lagging: false, reason: undefined },
        {
          ...point,
          name: 'two',
          commit: 'old',
          digest: 'old',
          lagging: true,
          reason: `enforces commit old, and ${commit} was accepted 60 s ago`,
        },
      ],
      drift: undefined,
    })
  })

  test('of a tenant without a policy says so', async () =>
    expect(await policyReport(serving(memoryStore(), undefined), 't', AT)).toMatchObject({
      accepted: undefined,
      enforced: undefined,
      enforcementPoints: [],
    }))

  test('of an unknown tenant is refused', async () =>
    await expect(policyReport(serving(memoryStore(), undefined), 'x', AT)).rejects.toThrow(
      'there is no such tenant',
    ))
})

test('what is old is forgotten, each kind at its own age', async () => {
  const store = memoryStore()
  const machine = snpMachine('one')
  const old = await stored(store, { machine, at: ago(31 * DAY) })
  const young = await stored(store, { machine, at: ago(29 * DAY) })
  const point = { tenant: 't', commit: 'c', digest: 'd' }
  const report = store.reportEnforcement
  await report({ ...point, name: 'gone', kind: 'verifier', reportedAt: ago(2 * HOUR) })
  await report({ ...point, name: 'silent', kind: 'gateway', reportedAt: ago(6 * DAY) })
  await report({ ...point, name: 'gone', kind: 'gateway', reportedAt: ago(8 * DAY) })
  await store.firstSeen('t', ['a'], ago(31 * DAY))
  await store.firstSeen('t', ['b'], ago(29 * DAY))

  await forgetOld(store, AT)
  expect(await store.findAppraisal(old.id)).toBeUndefined()
  expect(await store.findAppraisal(young.id)).toBeDefined()
  expect(await store.findEndorsements(young.endorsementsDigest)).toBeDefined()
  expect((await store.enforcementPoints('t')).map(({ name }) => name)).toEqual(['silent'])
  const seen = await store.firstSeen('t', ['a', 'b'], AT)
  expect([...seen.values()]).toEqual([AT, ago(29 * DAY)])

  await forgetOld(store, AT, { evidenceMs: DAY })
  expect(await store.findAppraisal(young.id)).toBeUndefined()
  expect(await store.findEndorsements(young.endorsementsDigest)).toBeUndefined()
})

test('denials leave the log’s private half two days after their evidence, and their root stays', async () => {
  const store = memoryStore()
  const { sequence, clock } = await openedLog(store)
  const denied = []
  for (const days of [33, 31, 0]) {
    clock.at = ago(days * DAY)
    denied.push(await decide(store, 'refused'), await decide(store))
    await sequence()
  }
  const [old, issued, young] = denied as [PendingLeaf, PendingLeaf, PendingLeaf]
  await forgetOld(store, AT)
  expect(await store.leafPlace(old.leafHash)).toBeUndefined()
  expect(await store.leafBody(old.leafHash)).toBeUndefined()
  for (const { leafHash } of [issued, young]) {
    expect(await store.leafPlace(leafHash)).toBeDefined()
    expect(await store.leafBody(leafHash)).toBeDefined()
  }
  expect(await store.logEntries(0, 10)).toHaveLength(6)
  // What is no such entry tells no time, and is kept.
  expect(denialsTime(issued.entry)).toBeUndefined()
})

describe('two policies decide', () => {
  const base = policyOf()
  const ruled = (change: Parameters<typeof rule>[1]) =>
    policyOf({ rules: rulesAnswering([rule('a', change)], () => []) })
  test.each<[string, Policy, Policy, boolean]>([
    [
      'alike with another heartbeat',
      base,
      policyOf({ heartbeat: { notAfter: AT, graceSeconds: 1 } }),
      true,
    ],
    ['alike with another commit', base, policyOf({ commit: 'd' }), true],
    ['alike with a rule that moved', ruled({}), ruled({ source: { file: 'x', line: 1 } }), true],
    ['otherwise with another rule', ruled({}), ruled({ expression: 'false' }), false],
    ['otherwise when it only warns', ruled({}), ruled({ severity: 'warning' }), false],
    ['otherwise without the rule', ruled({}), base, false],
    [
      'otherwise with another manifest',
      base,
      policyOf({ manifests: { [BOT]: manifest({ measurement: 'a2' }) } }),
      false,
    ],
    [
      'otherwise with one manifest more',
      base,
      policyOf({
        manifests: { [BOT]: manifest(), 'agents/prod/b.yaml': manifest({ agent: 'b' }) },
      }),
      false,
    ],
    [
      'otherwise with a revocation',
      base,
      policyOf({ revocations: { platforms: new Map([['00', 'r']]) } }),
      false,
    ],
  ])('%s', (_, a, b, alike) => {
    expect(decideAlike(a, b)).toBe(alike)
    expect(decideAlike(b, a)).toBe(alike)
  })
})
