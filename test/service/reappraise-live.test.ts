/** What live tokens rest on, judged again: what the policy or the vendor now refuses is revoked, and nobody else is. */
import { describe, expect, test } from 'vitest'
import type { Policy } from '#src/policy/policy.ts'
import type { AppraisalRecord, Store } from '#src/service/ports.ts'
import {
  type LiveReappraisal,
  type LiveStep,
  reappraiseLive,
} from '#src/service/reappraise-live.ts'
import { AT, snpMachine, tdxMachine } from './fleet.ts'
import { type LiveScene, liveScene, newerCrl, revokingCrl, staleCrl } from './live-scene.ts'
import { BOT, manifest, policyOf, rule, rulesAnswering } from './policies.ts'

const machine = snpMachine('one')
const good = policyOf({ commit: '1' })
const narrower = policyOf({ commit: '2', manifests: { [BOT]: manifest({ measurement: 'a3' }) } })
const later = (seconds: number) => new Date(AT.getTime() + seconds * 1000)

async function look(
  { verifier, tenant, clock }: LiveScene,
  policy: Policy,
  change: Partial<LiveReappraisal> = {},
): Promise<readonly LiveStep[]> {
  return await Array.fromAsync(
    reappraiseLive({
      verifier,
      tenant,
      policy,
      at: clock.at,
      by: 'test',
      scope: 'live',
      aspects: ['policy', 'collateral'],
      ...change,
    }),
  )
}

/** As a database in which somebody altered that one. */
function alteredStore<S extends Pick<Store, 'appraisalsOf'>>(store: S, altered: string): S {
  return {
    ...store,
    async appraisalsOf(...asked) {
      const { records, next } = await store.appraisalsOf(...asked)
      const isAltered = ({ id }: AppraisalRecord) => id === altered
      return {
        records: records.filter((record) => !isAltered(record)),
        unreadable: records.filter(isAltered),
        next,
      }
    },
  }
}

const summary = (steps: readonly LiveStep[]) => steps.findLast(({ kind }) => kind === 'progress')

describe('by the policy', () => {
  test('what it refuses loses every live token, with the reason in the database and in the log', async () => {
    const scene = await liveScene()
    const falls = await scene.attested({ machine }, { count: 3 })
    const stays = await scene.attested({ machine, measurement: 0xa3 }, { count: 2 })
    scene.vendor.says = {}
    const [fallen] = await look(scene, narrower)
    expect(fallen).toEqual({
      kind: 'fallen',
      appraisal: falls.id,
      environment: 'prod',
      agent: 'invoice-bot',
      reason: 'policy',
      failing: ['snp.measurement.expected'],
      live: 3,
    })
    expect(await scene.revoked(falls)).toEqual(['policy', 'policy', 'policy'])
    expect(await scene.revoked(stays)).toEqual([undefined, undefined])
    const [token] = await scene.store.tokensOf(falls.id)
    expect(token?.revocation).toEqual({
      at: AT,
      reason: 'policy',
      by: 'test',
      detail: `policy ${'2'.repeat(12)} refuses the evidence: snp.measurement.expected`,
    })
    expect(scene.journal).toMatchObject([
      { event: 'tokens.revoked', fields: { tenant: 'default', reason: 'policy', count: 3 } },
    ])
    const events = await scene.store.eventsAfter(0, 100)
    expect(events.map(({ kind }) => kind)).toEqual(Array(3).fill('token.revoked'))
  })

  test.each<[string, Policy]>([
    ['a revoked digest', policyOf({ revocations: { digests: new Map([['a1'.repeat(48), 'r']]) } })],
    ['a revoked key', policyOf({ revocations: { agentKeys: new Map([['s', 'r']]) } })],
    ['a manifest that is gone', policyOf({ manifests: {} })],
    [
      'a rule that says no',
      policyOf({ rules: rulesAnswering([rule('no')], () => [{ answer: false, observed: 'x' }]) }),
    ],
  ])('%s', async (_, policy) => {
    const scene = await liveScene()
    scene.vendor.says = {}
    const record = await scene.attested({ machine })
    await look(scene, good)
    expect(await scene.revoked(record)).toEqual([undefined])
    await look(scene, policy)
    expect(await scene.revoked(record)).toEqual(['policy'])
  })

  test('a rule that cannot be asked takes nothing from anybody', async () => {
    const scene = await liveScene()
    scene.vendor.says = {}
    const record = await scene.attested({ machine })
    const rules = rulesAnswering([rule('no')], () => [{ fault: 'the engine is gone' }])
    expect(summary(await look(scene, policyOf({ rules })))).toMatchObject({
      examined: 0,
      unexaminable: 1,
    })
    expect(await scene.revoked(record)).toEqual([undefined])
  })

  test('a release that came into force since the appraisal is judged by whether it is in force now', async () => {
    const scene = await liveScene()
    scene.vendor.says = {}
    const record = await scene.attested({ machine })
    const from = (time: string) =>
      policyOf({
        manifests: { [BOT]: manifest().replace(/notBefore: \S+/, `notBefore: ${time}`) },
      })
    expect(manifest()).toContain('notBefore: ')
    scene.clock.at = later(60)
    await look(scene, from('2026-06-01T00:00:30Z'))
    expect(await scene.revoked(record)).toEqual([undefined])
    await look(scene, from('2026-06-01T00:02:00Z'))
    expect(await scene.revoked(record)).toEqual(['policy'])
  })

  test('tokens that expired, or were revoked before, are not looked at', async () => {
    const scene = await liveScene()
    await scene.attested({ machine }, { lifeSeconds: 30 })
    scene.clock.at = later(31)
    expect(await look(scene, narrower)).toEqual([])
  })

  test('twice revokes nothing twice', async () => {
    const scene = await liveScene()
    await scene.attested({ machine })
    await look(scene, narrower)
    expect(await look(scene, narrower)).toEqual([])
    expect(await scene.store.lastEvent()).toBe(1)
  })

  test('a dry run tells and revokes nothing', async () => {
    const scene = await liveScene()
    const record = await scene.attested({ machine })
    expect(summary(await look(scene, narrower, { isDryRun: true }))).toEqual({
      kind: 'progress',
      examined: 1,
      unexaminable: 0,
      fallen: 1,
      revoked: 0,
      share: undefined,
    })
    expect(await scene.revoked(record)).toEqual([undefined])
  })

  test('2,500 live tokens on five pieces of evidence are five judgements, and all are revoked', async () => {
    const scene = await liveScene()
    const records = await Promise.all(
      Array.from({ length: 5 }, () => scene.attested({ machine }, { count: 500 })),
    )
    expect(summary(await look(scene, narrower))).toMatchObject({
      examined: 5,
      fallen: 5,
      revoked: 2500,
    })
    for (const record of records)
      expect(new Set(await scene.revoked(record))).toEqual(new Set(['policy']))
  })
})

describe('by what the vendor says', () => {
  test('a newer list that revokes its signer ends tokens', async () => {
    const scene = await liveScene()
    const record = await scene.attested({ machine })
    scene.vendor.says = { crls: [revokingCrl] }
    expect((await look(scene, good))[0]).toMatchObject({
      reason: 'collateral',
      failing: ['snp.ask.not-revoked'],
    })
    expect(await scene.revoked(record)).toEqual(['collateral'])
  })

  test.each<[string, LiveScene['vendor']['says']]>([
    ['a newer list that revokes nobody', { crls: [newerCrl] }],
    ['a list that is out of date', { crls: [staleCrl] }],
    ['no list at all', { crls: [] }],
    ['silence', undefined],
  ])('%s ends none', async (_, says) => {
    const scene = await liveScene()
    const record = await scene.attested({ machine })
    scene.vendor.says = says
    const steps = await look(scene, good)
    expect(summary(steps)).toMatchObject({ fallen: 0 })
    expect(await scene.revoked(record)).toEqual([undefined])
  })

  test('a vendor that answers about some documents and not about others ends none', async () => {
    const scene = await liveScene()
    const record = await scene.attested({ machine: tdxMachine })
    scene.vendor.says = { crls: [newerCrl] }
    scene.vendor.isWhole = false
    expect(summary(await look(scene, good, { aspects: ['collateral'] }))).toMatchObject({
      fallen: 0,
      unexaminable: 1,
    })
    expect(await scene.revoked(record)).toEqual([undefined])
  })

  test('a tenant without a vendor to ask is judged by the policy alone', async () => {
    const scene = await liveScene({ asksVendor: false })
    const record = await scene.attested({ machine })
    scene.vendor.says = { crls: [revokingCrl] }
    await look(scene, good)
    expect(await scene.revoked(record)).toEqual([undefined])
  })
})

describe('of everything that is stored', () => {
  test('what was granted since a date is judged, live or not, and the way that is done is told', async () => {
    const scene = await liveScene()
    scene.vendor.says = {}
    scene.clock.at = later(1000)
    await scene.attested({ machine, at: later(-1) })
    for (let n = 0; n < 100; n++) await scene.attested({ machine, at: later(n * 10) })
    const steps = await look(scene, narrower, { scope: AT })
    expect(summary(steps)).toEqual({
      kind: 'progress',
      examined: 100,
      unexaminable: 0,
      fallen: 100,
      // The others expired.
      revoked: 29,
      share: 1,
    })
    const shares = steps.flatMap((step) => (step.kind === 'progress' ? [step.share ?? -1] : []))
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
    expect(shares.length).toBeGreaterThan(3)
  })

  test('what nobody can read is counted, and keeps no other from being judged', async () => {
    const scene = await liveScene()
    scene.vendor.says = {}
    const altered = await scene.attested({ machine })
    const falls = await scene.attested({ machine, at: later(1) })
    const store = alteredStore(scene.verifier.store, altered.id)
    const steps = await look({ ...scene, verifier: { ...scene.verifier, store } }, narrower, {
      scope: AT,
    })
    expect(summary(steps)).toMatchObject({ examined: 1, unexaminable: 1, fallen: 1, revoked: 1 })
    expect(await scene.revoked(falls)).toEqual(['policy'])
  })
})
