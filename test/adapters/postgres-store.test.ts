/** PostgreSQL keeps the contract of the stores, for one replica and for several. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPostgresStore } from '#src/adapters/postgres-store.ts'
import type { Store } from '#src/service/ports.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { storeContract } from './store-contract.ts'
import { batchOf } from './store-contract-log.ts'
import { AT, attestation, LATER, leaf, record, sealed, token, uuid } from './store-records.ts'

describeWithPostgres('on PostgreSQL', () => {
  let server: Postgres
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  describe('one replica', () => {
    let store: Store
    beforeAll(async () => {
      store = await openPostgresStore(server.url, { migrations: 'apply' })
    })
    afterAll(() => store.close())
    storeContract('postgres', () => store)
  })

  describe('two replicas on one database', () => {
    let replicas: readonly [Store, Store]
    beforeAll(async () => {
      const url = await server.database()
      // Both at once: one migrates, and the other waits for it.
      replicas = await Promise.all([
        openPostgresStore(url, { migrations: 'apply' }),
        openPostgresStore(url, { migrations: 'apply' }),
      ])
    })
    afterAll(() => Promise.all(replicas.map((store) => store.close())))
    const each = (n: number) => {
      const store = replicas[n % 2]
      if (!store) throw new Error('no replica')
      return store
    }

    test('of a thousand who bring one challenge to both, one wins', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 1000 }, (_, n) =>
          each(n).recordAttestation(
            attestation(record(uuid(n)), { challenge: { id: 'one', expiresAt: LATER } }),
          ),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(1)
      expect((await each(0).appraisalsOf('acme', { since: AT, limit: 10 })).records).toHaveLength(1)
      expect(await each(1).countWaitingLeaves()).toBe(1)
    })

    test('of two who bring the same hundred challenges in other orders, each wins what the other does not', async () => {
      const challenges = Array.from({ length: 100 }, (_, n) => `both-${n}`)
      const bring = async (n: number, order: readonly string[]) =>
        await Promise.all(
          order.map(async (id, at) => {
            const challenge = { id, expiresAt: LATER }
            const kept = record(uuid(2000 + 1000 * n + at), { tenant: 'both' })
            return await each(n).recordAttestation(attestation(kept, { challenge }))
          }),
        )
      const outcomes = await Promise.all([bring(0, challenges), bring(1, challenges.toReversed())])
      expect(outcomes.flat().filter((outcome) => outcome === 'recorded')).toHaveLength(100)
    })

    test('a proof comes once to either', async () => {
      const brought = await Promise.all(
        Array.from({ length: 20 }, (_, n) => each(n).useOnce('dpop', 'p', LATER)),
      )
      expect(brought.filter(Boolean)).toHaveLength(1)
    })

    test('blocks of status slots do not meet', async () => {
      const blocks = await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          each(n).takeStatusBlock('https://a.example', { size: 8, capacity: 64, at: AT }),
        ),
      )
      expect(new Set(blocks.map(({ list, first }) => `${list}/${first}`)).size).toBe(40)
      expect(new Set(blocks.map(({ list }) => list)).size).toBe(5)
    })

    test('one of them sequences while the other is turned away', async () => {
      await each(0).recordAttestation(attestation(record(uuid(5000))))
      let reached = () => {}
      const inside = new Promise<void>((resolve) => {
        reached = resolve
      })
      let goOn = () => {}
      const until = new Promise<void>((resolve) => {
        goOn = resolve
      })
      const first = each(0).sequenceLog(1000, async (transaction) => {
        reached()
        await until
        return batchOf(transaction)
      })
      await inside
      expect(await each(1).sequenceLog(1000, async (t) => batchOf(t))).toBe('busy')
      // Attestations do not wait for it.
      expect(await each(1).recordAttestation(attestation(record(uuid(5001))))).toBe('recorded')
      goOn()
      expect(await first).toBe('sequenced')
      expect(await each(1).sequenceLog(1000, async (t) => batchOf(t))).toBe('sequenced')
      expect(await each(0).countWaitingLeaves()).toBe(0)
    })

    test('a key is rotated once', async () => {
      const purpose = 'log'
      await each(0).keepFirstKey(sealed('first', { purpose }))
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          each(n).addKey(
            sealed(`next-${n}`, { purpose, activeFrom: LATER }),
            'first',
            leaf({ kind: 'keys' }),
          ),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'added')).toHaveLength(1)
    })

    test('whoever has seen an event has seen all before it, however many commit at once', async () => {
      const tokens = Array.from({ length: 60 }, (_, n) => token(uuid(6000), { jti: `e-${n}` }))
      await each(0).recordAttestation(attestation(record(uuid(6000)), { tokens }))
      const since = await each(0).lastEvent()
      const revocation = { at: AT, reason: 'operator', detail: '', by: 'alice' } as const
      let isOver = false
      const seen: number[] = []
      const watching = (async () => {
        while (!isOver || seen.length < 60) {
          const events = await each(1).eventsAfter(seen.at(-1) ?? since, 7)
          seen.push(...events.map(({ sequence }) => sequence))
        }
      })()
      await Promise.all(
        tokens.map(({ jti }, n) => each(n).revokeTokens([jti], revocation, () => leaf())),
      )
      isOver = true
      await watching
      expect(seen).toEqual(Array.from({ length: 60 }, (_, n) => since + 1 + n))
    })
  })
})
