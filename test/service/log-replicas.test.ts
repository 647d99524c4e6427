/** Several replicas on one PostgreSQL have one log: each decision is numbered once, in a tree that only grows, within a second. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgresStore } from '#src/adapters/postgres-store.ts'
import { toHex } from '#src/bytes/encoding.ts'
import { startChores } from '#src/http/chores.ts'
import { openCheckpoint } from '#src/log/checkpoint.ts'
import { isConsistent } from '#src/log/consistency.ts'
import { parseVerifierKey } from '#src/log/note-key.ts'
import { proveConsistency } from '#src/service/log-proofs.ts'
import type { Store } from '#src/service/ports.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { decide, openedLog } from './log-scene.ts'

describeWithPostgres('the log of several replicas', () => {
  let postgres: Postgres
  let stores: readonly Store[] = []

  beforeAll(async () => {
    postgres = await startPostgres()
    const first = await openPostgresStore(postgres.url, { migrations: 'apply' })
    stores = [first, await openPostgresStore(postgres.url, { migrations: 'apply' })]
  }, 60_000)
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await postgres.stop()
  })

  test('grows as one, and every decision is in a signed tree within a second of its commit', async () => {
    const replicas = await Promise.all(stores.map((store) => openedLog(store)))
    const running = replicas.map(({ chores }, n) =>
      startChores({
        chores,
        clock: { now: () => new Date() },
        journal: { record: ({ cause }) => expect(cause, `replica ${n}`).toBeUndefined() },
      }),
    )
    const [store] = stores
    const [first] = replicas
    if (!store || !first) throw new Error('no replicas')
    const key = parseVerifierKey(await first.log.verifierKey())
    const committed = new Map<string, number>()
    const late: number[] = []
    const heads = []
    for (let n = 0; n < 40; n++) {
      const store = stores[n % stores.length]
      if (!store) continue
      const leaves = await Promise.all(
        [0, 1, 2, 3, 4].map((m) => decide(store, m === 4 ? 'refused' : 'issued')),
      )
      const now = performance.now()
      for (const { leafHash } of leaves) committed.set(toHex(leafHash), now)
      const head = await store.logHead()
      if (head) heads.push(openCheckpoint(head.checkpoint, { log: key }))
      for (const [leaf, since] of committed) {
        const place = await store.leafPlace(new Uint8Array(Buffer.from(leaf, 'hex')))
        if (place?.in === 'waiting') continue
        committed.delete(leaf)
        late.push(performance.now() - since)
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await Promise.all(running.map(({ stop }) => stop()))
    expect(await store.countWaitingLeaves()).toBe(0)
    expect(late.length).toBeGreaterThan(100)
    expect(Math.max(...late)).toBeLessThan(1000)
    expect(replicas.map(({ log }) => log.fault())).toEqual([undefined, undefined])
    const last = heads.at(-1)
    for (const older of heads) {
      if (!last) continue
      const { proof } = await proveConsistency(store, { from: older.size, to: last.size })
      const hashes = proof.map((hash) => new Uint8Array(Buffer.from(hash, 'hex')))
      expect(isConsistent(older, last, hashes)).toBe(true)
    }
    // Every issuance is a leaf, and a batch of denials is one.
    const entries = await store.logEntries(0, 1000)
    const kinds = entries.map((entry) => JSON.parse(new TextDecoder().decode(entry)).kind)
    expect(kinds.filter((kind) => kind === 'issuance')).toHaveLength(160)
    expect(new Set(entries.map((entry) => new TextDecoder().decode(entry))).size).toBe(
      entries.length,
    )
  }, 60_000)
})
