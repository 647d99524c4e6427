/** A PostgreSQL that goes away fails requests and nothing else; when it is back, so is the service, with all that it promised. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgresStore } from '#src/adapters/postgres-store.ts'
import { Problem } from '#src/problems.ts'
import type { Store } from '#src/service/ports.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { attestation, LATER, leaf, record, sealed, uuid } from './store-records.ts'

const refused = {
  name: 'Problem',
  code: 'storage-unavailable',
  retryAfterSeconds: 5,
}

describeWithPostgres('a PostgreSQL that goes away', () => {
  let server: Postgres
  let store: Store
  beforeAll(async () => {
    server = await startPostgres()
    store = await openPostgresStore(server.url, { migrations: 'apply' })
  })
  afterAll(async () => {
    await store.close()
    await server.stop()
  })

  async function settled(asked: Promise<unknown>): Promise<unknown> {
    return await asked.catch((error: unknown) => error)
  }

  test('loses nothing that was acknowledged, whenever it goes', async () => {
    for (let round = 0; round < 4; round += 1) {
      const kept: string[] = []
      let isOver = false
      let next = 1000 * (round + 1)
      const writers = Array.from({ length: 8 }, async () => {
        while (!isOver) {
          next += 1
          const id = uuid(next)
          const outcome = await settled(store.recordAttestation(attestation(record(id))))
          if (outcome === 'recorded') {
            kept.push(id)
            if (kept.length === 1) setTimeout(() => void server.crash(), 30 * (round + 1))
          } else {
            expect(outcome).toMatchObject(refused)
            isOver = true
          }
        }
      })
      await Promise.all(writers)
      await server.crash()
      await server.start()
      for (const id of kept) expect((await store.findAppraisal(id))?.id).toBe(id)
      expect(kept.length).toBeGreaterThan(0)
    }
  })

  test('is a problem for each that asks meanwhile, and none afterwards', async () => {
    await server.crash()
    const outcomes = await Promise.all([
      settled(store.ping()),
      settled(store.findAppraisal(uuid(1))),
      settled(store.recordAttestation(attestation(record(uuid(1))))),
      settled(store.keepFirstKey(sealed('k'))),
      settled(store.useOnce('dpop', 'p', LATER)),
      settled(store.sequenceLog(10, async () => undefined)),
      settled(store.pruneEvidence(new Date(0))),
    ])
    for (const outcome of outcomes) {
      expect(outcome).toBeInstanceOf(Problem)
      expect(outcome).toMatchObject(refused)
    }
    await server.start()
    expect(await store.ping()).toBeUndefined()
    expect(await store.findAppraisal(uuid(1))).toBeUndefined()
    expect(await store.recordAttestation(attestation(record(uuid(1))))).toBe('recorded')
  })

  test('in the middle of a transaction rolls it back', async () => {
    const waiting = leaf()
    await store.recordAttestation(attestation(record(uuid(2)), { leaf: waiting }))
    const outcome = await settled(
      store.sequenceLog(1000, async ({ waiting: leaves }) => {
        expect(leaves.length).toBeGreaterThan(0)
        await server.crash()
        return {
          head: { size: 0, root: new Uint8Array(32), checkpoint: '', at: LATER },
          entries: [],
          denials: [],
          tiles: [],
          taken: leaves.map(({ id }) => id),
        }
      }),
    )
    expect(outcome).toMatchObject(refused)
    await server.start()
    expect(await store.leafPlace(waiting.leafHash)).toEqual({ in: 'waiting' })
    expect(await store.logHead()).toBeUndefined()
    // Nobody holds the log any more.
    expect(await store.sequenceLog(1000, async () => undefined)).toBe('nothing')
  })

  test('at the start is a problem that names the server and not the password', async () => {
    await server.crash()
    const url = server.url.replace('postgres@', 'postgres:hunter2@')
    const outcome = await settled(openPostgresStore(url, { migrations: 'refuse' }))
    expect(outcome).toMatchObject({ code: 'storage-unavailable' })
    expect(String(outcome)).toContain('127.0.0.1')
    expect(String(outcome)).not.toContain('hunter2')
    await server.start()
  })
})
