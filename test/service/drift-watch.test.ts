/** After an acceptance stored evidence is appraised again: one run at a time, the newest policy wins, and nothing is lost between. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import type { Policy } from '#src/policy/policy.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import { type DriftWatch, driftWatch } from '#src/service/drift-watch.ts'
import type { JournalEntry, Store } from '#src/service/ports.ts'
import type { Verifier } from '#src/service/verifier.ts'
import { AT, snpMachine, stored, tenant } from './fleet.ts'
import { BOT, manifest, policyOf } from './policies.ts'

const machine = snpMachine('one')
const policies = ['1', '2', '3', '4'].map((commit) =>
  policyOf({ commit, manifests: { [BOT]: manifest({ measurement: `a${commit}` }) } }),
) as [Policy, Policy, Policy, Policy]
const [p1, p2, p3, p4] = policies

let store: Store
let watch: DriftWatch
let journal: JournalEntry[]
let atPause: () => Promise<void>

/** Only what a run reads. */
function verifier(change: Partial<Verifier> = {}): Verifier {
  return {
    store,
    proofs: proofCache(10),
    pause: () => atPause(),
    clock: { now: () => AT },
    journal: { record: (entry: JournalEntry) => journal.push(entry) },
    tenants: new Map([['default', tenant]]),
    ...change,
  } as Verifier
}

beforeEach(async () => {
  store = memoryStore()
  watch = driftWatch()
  journal = []
  atPause = async () => {}
  await stored(store, { machine, measurement: 0xa1 })
})
afterEach(() => watch.stop())

const change = (from: Policy | undefined, to: Policy) => ({ tenant: 'default', from, to })
const reported = () => journal.map(({ event, fields }) => [event, fields?.from, fields?.to])
const name = (digit: string) => digit.repeat(40)

test('a run is kept and journalled', async () => {
  watch.begin(verifier())
  watch.accepted(change(p1, p2))
  await watch.idle()
  expect(await store.latestDrift('default')).toMatchObject({
    at: AT,
    examined: 1,
    changed: 1,
    from: { commit: name('1') },
    to: { commit: name('2') },
  })
  expect(reported()).toEqual([['policy.drift', name('1'), name('2')]])
})

test('what was accepted before the service began is looked into then, from the first to the last', async () => {
  watch.accepted(change(p1, p2))
  watch.accepted(change(p2, p3))
  await watch.idle()
  expect(journal).toEqual([])
  watch.begin(verifier())
  await watch.idle()
  expect(reported()).toEqual([['policy.drift', name('1'), name('3')]])
})

test('the first policy of all is no change', async () => {
  watch.begin(verifier())
  watch.accepted(change(undefined, p1))
  await watch.idle()
  expect(journal).toEqual([])
})

test('what decides nothing anew leaves the last report in place', async () => {
  watch.begin(verifier())
  watch.accepted(change(p1, p2))
  await watch.idle()
  const heartbeat = { notAfter: AT, graceSeconds: 1 }
  const manifests = { [BOT]: manifest({ measurement: 'a2' }) }
  watch.accepted(change(p2, policyOf({ commit: '5', manifests, heartbeat })))
  await watch.idle()
  expect(reported()).toEqual([['policy.drift', name('1'), name('2')]])
})

test('a newer policy takes over, from where the unfinished run began', async () => {
  const gate = Promise.withResolvers<void>()
  atPause = () => gate.promise
  watch.begin(verifier())
  watch.accepted(change(p1, p2))
  watch.accepted(change(p2, p3))
  watch.accepted(change(p3, p4))
  gate.resolve()
  await watch.idle()
  expect(reported()).toEqual([['policy.drift', name('1'), name('4')]])
})

test('a run that fails is told, and does not keep the next from running', async () => {
  const broken = { ...store, appraisalsOf: async () => Promise.reject(new Error('no database')) }
  watch.begin(verifier({ store: broken }))
  watch.accepted(change(p1, p2))
  await watch.idle()
  expect(journal).toMatchObject([{ event: 'request.failed' }])
  watch.begin(verifier())
  watch.accepted(change(p2, p3))
  await watch.idle()
  expect(reported().at(-1)).toEqual(['policy.drift', name('2'), name('3')])
})

test('when it is stopped, what runs ends unkept and nothing starts', async () => {
  const gate = Promise.withResolvers<void>()
  atPause = () => gate.promise
  watch.begin(verifier())
  watch.accepted(change(p1, p2))
  const stopping = watch.stop()
  gate.resolve()
  await stopping
  watch.accepted(change(p2, p3))
  await watch.idle()
  expect(journal).toEqual([])
  expect(await store.latestDrift('default')).toBeUndefined()
})
