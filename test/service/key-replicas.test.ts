/** Replicas on one PostgreSQL: a rotation that happens once, a revocation that all hear of, and a rewrap that is cut short. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { openPostgresStore } from '#src/adapters/postgres-store.ts'
import { eventFeed } from '#src/service/event-feed.ts'
import { keyChore, reloadOnEvents } from '#src/service/key-chores.ts'
import { revokeKey, rotateKeys } from '#src/service/key-rotation.ts'
import { openChallengeKeys, openIssuer } from '#src/service/keys.ts'
import type { Store } from '#src/service/ports.ts'
import { resealKeys } from '#src/service/reseal-keys.ts'
import { openKey, sealedUnder } from '#src/service/sealed-key.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'

const START = new Date('2026-06-01T00:00:00Z')
const DAY_MS = 24 * 3600_000
const url = 'https://a.example'
const possession = `possession:${url}` as const
const kek = (fill: number) => keyEncryptionBySecret('file', new Uint8Array(32).fill(fill))

describeWithPostgres('replicas of one PostgreSQL', () => {
  let postgres: Postgres
  const stores: Store[] = []
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(async () => {
    for (const store of stores) await store.close()
    await postgres.stop()
  })

  async function replica(database: string) {
    const store = await openPostgresStore(database, { migrations: 'apply' })
    stores.push(store)
    const clock = { at: START }
    const room = {
      store,
      random: { bytes: (size: number) => new Uint8Array(randomBytes(size)) },
      clock: { now: () => clock.at },
      keyEncryption: [kek(1)] as const,
      journal: { record: () => {} },
    }
    const events = await eventFeed(store)
    const [{ issuer, rings }, { ring }] = await Promise.all([
      openIssuer(room, { url, assurance: 'simulated' }),
      openChallengeKeys(room),
    ])
    reloadOnEvents(room, { rings: [...rings, ring], events })
    return {
      room,
      clock,
      issuer,
      events,
      tend: keyChore({ ...room, mayForget: () => true }, [...rings, ring]).run,
      kids: () =>
        issuer
          .published()
          .map(({ kid }) => kid)
          .toSorted(),
    }
  }

  test('begin with the same keys, and rotate each once however many try at once', async () => {
    const database = await postgres.database()
    const all = await Promise.all([replica(database), replica(database), replica(database)])
    expect(new Set(all.map(({ kids }) => kids().join(' '))).size).toBe(1)
    for (const { clock } of all) clock.at = new Date(START.getTime() + 31 * DAY_MS)
    await Promise.all(all.flatMap(({ tend }) => [tend(), tend()]))
    const [first] = all
    if (!first) throw new Error('no replica')
    expect(await first.room.store.allKeys()).toHaveLength(8)
    await Promise.all(all.map(({ tend }) => tend()))
    expect(new Set(all.map(({ kids }) => kids().join(' '))).size).toBe(1)
  })

  test('hear of a revocation by the next look at the events', async () => {
    const database = await postgres.database()
    const [one, other] = [await replica(database), await replica(database)]
    const { kid } = one.issuer.signer('possession', START)
    await revokeKey(one.room, { kid, by: 'otto' })
    await other.events.poll()
    await expect.poll(() => other.kids()).not.toContain(kid)
    expect(other.issuer.signer('possession', START).kid).not.toBe(kid)
  })

  test('find every key under one key-encryption key, whatever a crash cut short', async () => {
    const database = await postgres.database()
    const { room } = await replica(database)
    await rotateKeys(room, { purposes: [possession], by: 'otto' })
    const delays = [0, 2, 4, 8, 12]
    const others = delays.map((_, place) => kek(place + 10))
    const keyEncryption = [kek(1), ...others] as const
    for (const [place, delayMs] of delays.entries()) {
      const target = others[place] ?? kek(1)
      const running = resealKeys({ ...room, keyEncryption }, target).catch(() => 'cut short')
      await new Promise((resume) => setTimeout(resume, delayMs))
      await postgres.crash()
      await running
      await postgres.start()
      const keys = await vi.waitUntil(() => room.store.allKeys().catch(() => undefined))
      expect(keys).toHaveLength(5)
      expect(new Set(keys.map((key) => sealedUnder(key)?.join(' '))).size).toBe(1)
      for (const key of keys) await openKey(key, keyEncryption)
    }
  })
})
