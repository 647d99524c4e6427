/** The data directory's disk is full: no token is handed out that is not written down, and everything goes on once there is room. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPgliteEngine, openPgliteStore } from '#src/adapters/pglite-store.ts'
import { attestation, record, uuid } from '../adapters/store-records.ts'
import { type Clients, openClients } from './attesting-clients.ts'
import { openConnection } from './connection.ts'
import { expectKnown, expectLogged, expectOnce, watchLog } from './promises.ts'
import { type Place, place, type Serving } from './service-process.ts'
import { describeWithSmallDisk, type SmallDisk, smallDisk } from './small-disk.ts'
import { expectStoredOnce } from './stored.ts'

const SLOW = 120_000

describeWithSmallDisk('vouchsafe serve on PGlite, on a full disk', () => {
  let disk: SmallDisk
  let at: Place
  let serving: Serving
  let clients: Clients
  const connection = openConnection()
  const log = watchLog()
  beforeAll(async () => {
    disk = smallDisk(160)
    at = await place('disk-full', { VOUCHSAFE_DATA: join(disk.path, 'data') })
    serving = await at.start()
    clients = await openClients(4)
  }, SLOW)
  afterAll(() => {
    connection.close()
    at.remove()
    disk.remove()
  })

  async function attestFor(ms: number): Promise<number> {
    const before = clients.received.length
    const running = clients.run(() => serving.address)
    await sleep(ms)
    await running.stop()
    await log.look(serving.address)
    return clients.received.length - before
  }

  test(
    'refuses with a problem, and goes on by itself once there is room',
    async () => {
      expect(await attestFor(1_000)).toBeGreaterThan(0)
      expect(clients.otherwise.size).toBe(0)
      disk.fill()
      await attestFor(3_000)
      // What still fits into pages that exist is written, and counts.
      expect([...clients.otherwise.keys()]).toEqual(['503 storage-unavailable'])
      const refused = clients.attempts.flatMap(({ answers }) =>
        answers.filter(({ status }) => status === 503),
      )
      expect(refused.length).toBeGreaterThan(10)
      for (const { type, retryAfter } of refused)
        expect([type, retryAfter]).toEqual(['application/problem+json', '5'])
      // PostgreSQL, Appendix A: disk_full. Whoever runs the service reads why.
      expect(serving.said()).toContain('"code":"53100"')
      // The process is well, and whoever only reads is answered.
      for (const path of ['/healthz', '/.well-known/jwks.json', '/simulated/status-lists/1'])
        expect((await connection.ask(serving.address, { path })).status).toBe(200)
      await expectKnown(serving.address, clients.received)
      disk.free()
      const counted = clients.otherwise.get('503 storage-unavailable')
      expect(await attestFor(2_000)).toBeGreaterThan(0)
      expect(clients.otherwise.get('503 storage-unavailable')).toBe(counted)
    },
    SLOW,
  )

  test(
    'that was killed meanwhile says what is wrong, and starts as soon as there is room',
    async () => {
      disk.fill()
      await attestFor(500)
      await serving.kill()
      await expect(at.start()).rejects.toThrow(/No space left|ENOSPC|does not open/i)
      disk.free()
      serving = await at.start()
      expect(await attestFor(1_000)).toBeGreaterThan(0)
    },
    SLOW,
  )

  test(
    'has lost nothing in the end',
    async () => {
      expectOnce(clients.attempts, clients.received)
      await expectKnown(serving.address, clients.received)
      await expectLogged(serving.address, clients.received)
      expect(await log.expectContinued(serving.address)).toBeGreaterThan(2)
      expect(await serving.stop()).toBe(0)
      const engine = await openPgliteEngine(join(disk.path, 'data'))
      const stored = await expectStoredOnce(engine, clients.attempts)
      console.log(
        `disk full, PGlite: ${stored} stored, ${clients.received.length} received, ${JSON.stringify(Object.fromEntries(clients.otherwise))}`,
      )
    },
    SLOW,
  )
})

describeWithSmallDisk('PostgreSQL in this process, which cannot write its log any more', () => {
  let disk: SmallDisk
  beforeAll(() => {
    disk = smallDisk(128)
  })
  afterAll(() => disk.remove())

  test(
    'ends itself, and is started again on the same files',
    async () => {
      const data = join(disk.path, 'data')
      const kept = uuid(1)
      const store = await openPgliteStore(data)
      expect(await store.recordAttestation(attestation(record(kept)))).toBe('recorded')
      await store.close()
      const engine = await openPgliteEngine(data)
      disk.fill()
      // A megabyte each: the segment of 16 is full before they are.
      const exhaust = async () => {
        const text = `select pg_logical_emit_message(false, 'faults', repeat('x', 1000000))`
        for (let n = 0; n < 40; n += 1) await engine.rows({ text })
      }
      await expect(exhaust()).rejects.toThrow(/ended itself|No space left/)
      // Never an answer from what is left of it, and never a wait without end.
      const asked = performance.now()
      await expect(engine.rows({ text: 'select 1' })).rejects.toThrow('ended itself')
      await expect(engine.rows({ text: 'select 1' })).rejects.toThrow('ended itself')
      expect(performance.now() - asked).toBeLessThan(10_000)
      disk.free()
      await expect
        .poll(() => engine.rows({ text: 'select 1 as one' }).catch(String), { timeout: 20_000 })
        .toEqual([{ one: 1 }])
      expect(await engine.rows({ text: 'select id from appraisals' })).toEqual([{ id: kept }])
      await engine.rows({ text: 'create table room_again ()' })
      await engine.close()
      const again = await openPgliteStore(data)
      expect(await again.recordAttestation(attestation(record(uuid(2))))).toBe('recorded')
      await again.close()
    },
    SLOW,
  )
})
