/** What every store must do. One suite, run on each of them. */
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Store } from '#src/service/ports.ts'
import { evidenceContract } from './store-contract-evidence.ts'
import { keyContract } from './store-contract-keys.ts'
import { brokerSessionContract, leaseContract } from './store-contract-leases.ts'
import { logContract } from './store-contract-log.ts'
import { policyContract } from './store-contract-policies.ts'
import { releaseContract } from './store-contract-releases.ts'
import { resourceContract } from './store-contract-resources.ts'
import { sessionContract } from './store-contract-sessions.ts'
import { tokenContract } from './store-contract-tokens.ts'
import { watchContract } from './store-contract-watch.ts'
import { AT, attestation, keep, LATER, leaf, record, token, uuid } from './store-records.ts'

/** `store`: empty at first, and the same one for the whole suite. */
export function storeContract(name: string, store: () => Store): void {
  describe(name, () => {
    attestationContract(store)
    evidenceContract(store)
    policyContract(store)
    keyContract(store)
    tokenContract(store)
    logContract(store)
    resourceContract(store)
    releaseContract(store)
    leaseContract(store)
    brokerSessionContract(store)
    sessionContract(store)
    watchContract(store)

    test('answers a ping', async () => expect(await store().ping()).toBeUndefined())
  })
}

function attestationContract(store: () => Store): void {
  describe('attestations', () => {
    test('an appraisal is kept exactly as it was', async () => {
      const kept = record(uuid(1))
      expect(await keep(store(), 'c1', kept)).toBe('recorded')
      expect(await store().findAppraisal(uuid(1))).toEqual(kept)
    })

    test('so is a refusal without audience, reference value and evidence', async () => {
      const refused = record(uuid(2), {
        verdict: 'refused',
        audiences: [],
        manifestProvenance: undefined,
        referenceValue: undefined,
        layers: [],
        evidence: undefined,
      })
      await keep(store(), 'c2', refused)
      expect(await store().findAppraisal(uuid(2))).toEqual(refused)
    })

    test('so is evidence that is a quote alone', async () => {
      const bare = record(uuid(5), { evidence: { quote: new Uint8Array([0]) } })
      await keep(store(), 'c5', bare)
      expect(await store().findAppraisal(uuid(5))).toEqual(bare)
    })

    test.each(['abc', '', 'x'.repeat(16), `{${uuid(1)}}`, `${uuid(1)}\0`])(
      'nothing is known under %j, which names no appraisal and is no fault of the database',
      async (id) => {
        expect(await store().findAppraisal(id)).toBeUndefined()
        expect(await store().tokensOf(id)).toEqual([])
        const live = { at: AT, selection: { appraisal: id }, limit: 10 }
        expect(await store().liveTokens('acme', live)).toEqual([])
        const page = { since: new Date(0), limit: 10, before: { at: LATER, id } }
        expect(await store().appraisalsOf('acme', page)).toEqual({
          records: [],
          unreadable: [],
          next: undefined,
        })
      },
    )

    test('nothing is known of what was never recorded', async () =>
      expect(await store().findAppraisal(uuid(99))).toBeUndefined())

    test('a challenge is used once, and the second use leaves no trace', async () => {
      expect(await keep(store(), 'c3', record(uuid(3)))).toBe('recorded')
      const late = attestation(record(uuid(4)), {
        challenge: { id: 'c3', expiresAt: LATER },
        tokens: [token(uuid(4), { jti: 'late' })],
      })
      expect(await store().recordAttestation(late)).toBe('challenge-used')
      expect(await store().findAppraisal(uuid(4))).toBeUndefined()
      expect(await store().findToken('late')).toBeUndefined()
      expect(await store().leafPlace(late.leaf.leafHash)).toBeUndefined()
    })

    test('of a thousand at once one wins', async () => {
      const racers = Array.from({ length: 1000 }, (_, n) =>
        attestation(record(uuid(10_000 + n)), {
          challenge: { id: 'raced', expiresAt: LATER },
          tokens: [token(uuid(10_000 + n))],
        }),
      )
      const outcomes = await Promise.all(racers.map((each) => store().recordAttestation(each)))
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(1)
      const winner = racers[outcomes.indexOf('recorded')]
      if (!winner) throw new Error('nobody won')
      const { records: found } = await store().appraisalsOf('acme', { since: AT, limit: 1000 })
      expect(found.filter(({ id }) => id >= uuid(10_000)).map(({ id }) => id)).toEqual([
        winner.appraisal.id,
      ])
      expect(await store().tokensOf(winner.appraisal.id)).toHaveLength(1)
    })

    test('many different ones at once are all kept', async () => {
      const all = Array.from({ length: 300 }, (_, n) =>
        attestation(record(uuid(20_000 + n), { tenant: 'many' })),
      )
      const outcomes = await Promise.all(all.map((each) => store().recordAttestation(each)))
      expect(new Set(outcomes)).toEqual(new Set(['recorded']))
      const { records } = await store().appraisalsOf('many', { since: AT, limit: 1000 })
      expect(records).toHaveLength(300)
    })

    const taken = leaf()
    const sameToken = token(uuid(6))
    test.each([
      ['an appraisal of that id', { appraisal: record(uuid(6)) }],
      ['a token of that id', { tokens: [sameToken] }],
      ['that leaf in the queue', { leaf: taken }],
    ])('where there is %s already, nothing of it is kept', async (_, change) => {
      // The first of these three keeps it.
      if (!(await store().findAppraisal(uuid(6))))
        await store().recordAttestation(
          attestation(record(uuid(6)), { tokens: [sameToken], leaf: taken }),
        )
      const fresh = attestation(record(uuid(7)), { tokens: [token(uuid(7), { jti: 'fresh' })] })
      const clashing = { ...fresh, ...change }
      await expect(store().recordAttestation(clashing)).rejects.toThrow('storage-unavailable')
      expect(await store().findAppraisal(uuid(7))).toBeUndefined()
      expect(await store().findToken('fresh')).toBeUndefined()
      if (clashing.leaf !== taken)
        expect(await store().leafPlace(clashing.leaf.leafHash)).toBeUndefined()
      // The challenge is not used up either.
      const { challenge } = fresh
      const again = attestation(record(randomUUID()), { challenge })
      expect(await store().recordAttestation(again)).toBe('recorded')
    })

    test('one that cannot be kept does not fail the strangers who arrive with it', async () => {
      const strangers = Array.from({ length: 20 }, (_, n) => attestation(record(uuid(800 + n))))
      const wrong = attestation(record(uuid(1)))
      const outcomes = await Promise.allSettled(
        [...strangers.slice(0, 10), wrong, ...strangers.slice(10)].map((each) =>
          store().recordAttestation(each),
        ),
      )
      expect(outcomes.map(({ status }) => status).indexOf('rejected')).toBe(10)
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
    })

    test('challenges are forgotten only once they have expired', async () => {
      const old = { id: 'old', expiresAt: new Date('2020-01-01T00:00:00Z') }
      await store().recordAttestation(attestation(record(uuid(9)), { challenge: old }))
      expect(await store().pruneChallenges(AT)).toBe(1)
      expect(await store().pruneChallenges(AT)).toBe(0)
      expect(await keep(store(), 'c1', record(uuid(10)))).toBe('challenge-used')
    })
  })
}
