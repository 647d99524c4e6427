/** PostgreSQL's disk is full, and so is that of the replica's own files: nothing is lost, nothing is half written, and the policy goes on. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keepDurably } from '#src/adapters/durable-file.ts'
import { openDisk } from '#src/adapters/endorsement-cache-disk.ts'
import { openPostgresEngine } from '#src/adapters/postgres-store.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { type Clients, openClients } from './attesting-clients.ts'
import { openConnection } from './connection.ts'
import { expectKnown, expectLogged, expectOnce, watchLog } from './promises.ts'
import { bearer, type Place, place, type Serving } from './service-process.ts'
import { describeWithSmallDisk, type SmallDisk, smallDisk } from './small-disk.ts'
import { expectStoredOnce } from './stored.ts'

const SLOW = 120_000

/** On a disk of its own, and with little of its log made ahead, so that the log's end is reached too. */
async function postgresOn(folder: string): Promise<Postgres> {
  const usual = process.env.TMPDIR
  process.env.TMPDIR = folder
  try {
    return await startPostgres({ min_wal_size: '32MB', max_wal_size: '32MB' })
  } finally {
    if (usual === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = usual
  }
}

describeWithSmallDisk('on a full disk', () => {
  describeWithPostgres('PostgreSQL', () => {
    let disk: SmallDisk
    let postgres: Postgres
    let at: Place
    let serving: Serving
    let clients: Clients
    const log = watchLog()
    beforeAll(async () => {
      disk = smallDisk(400)
      postgres = await postgresOn(disk.path)
      at = await place('disk-full-postgres', { DATABASE_URL: postgres.url })
      serving = await at.start()
      clients = await openClients(4)
    }, SLOW)
    afterAll(async () => {
      at.remove()
      await postgres.stop()
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
      'refuses what it cannot write, and goes on by itself once there is room',
      async () => {
        expect(await attestFor(1_000)).toBeGreaterThan(0)
        disk.fill()
        await attestFor(3_000)
        expect([...clients.otherwise.keys()]).toEqual(['503 storage-unavailable'])
        await expectKnown(serving.address, clients.received)
        disk.free()
        expect(await attestFor(2_000)).toBeGreaterThan(0)
      },
      SLOW,
    )

    test(
      'ends itself where its log does not fit, and is waited for',
      async () => {
        disk.fill()
        const engine = openPostgresEngine(postgres.url)
        const exhaust = async () => {
          const text = `select pg_logical_emit_message(false, 'faults', repeat('x', 1000000))`
          for (let n = 0; n < 100; n += 1) await engine.rows({ text })
        }
        await expect(exhaust()).rejects.toThrow()
        await engine.close()
        const issued = clients.received.length
        await attestFor(1_500)
        expect(clients.received.length).toBe(issued)
        disk.free()
        // Whoever keeps PostgreSQL running starts it again, if it did not come back by itself.
        await postgres.crash()
        await postgres.start()
        await expect.poll(() => attestFor(200), { timeout: 20_000 }).toBeGreaterThan(0)
      },
      SLOW,
    )

    test(
      'has lost nothing in the end',
      async () => {
        expectOnce(clients.attempts, clients.received)
        expect([...clients.otherwise.keys()]).toEqual(['503 storage-unavailable'])
        await expectKnown(serving.address, clients.received)
        await expectLogged(serving.address, clients.received)
        expect(await log.expectContinued(serving.address)).toBeGreaterThan(2)
        expect(await serving.stop()).toBe(0)
        const stored = await expectStoredOnce(openPostgresEngine(postgres.url), clients.attempts)
        console.log(
          `disk full, PostgreSQL: ${stored} stored, ${clients.received.length} received, ${JSON.stringify(Object.fromEntries(clients.otherwise))}`,
        )
      },
      SLOW,
    )
  })

  describeWithPostgres('the files of a replica', () => {
    let disk: SmallDisk
    let postgres: Postgres
    let at: Place
    const connection = openConnection()
    beforeAll(async () => {
      disk = smallDisk(16)
      postgres = await startPostgres()
      at = await place('disk-full-files', {
        DATABASE_URL: postgres.url,
        VOUCHSAFE_DATA: join(disk.path, 'data'),
        VOUCHSAFE_POLICY_POLL_SECONDS: '1',
      })
    }, SLOW)
    afterAll(async () => {
      connection.close()
      at.remove()
      await postgres.stop()
      disk.remove()
    })

    test(
      'a policy that cannot be fetched leaves the one before in force, and comes once there is room',
      async () => {
        const serving = await at.start()
        const clients = await openClients(2)
        const inForce = async () => {
          const asked = { path: '/v1/policies/default', headers: bearer('operator') }
          const { json } = await connection.ask(serving.address, asked)
          return {
            commit: json.accepted.commit,
            conditions: json.conditions.map(({ name }: { name: string }) => name),
          }
        }
        expect(await inForce()).toEqual({ commit: at.policy.first, conditions: ['Synced'] })
        disk.fill()
        const next = await at.policy.change('signed')
        await expect
          .poll(inForce, { timeout: 20_000 })
          .toEqual({ commit: at.policy.first, conditions: ['FetchFailed'] })
        // Its evidence goes to the database, which has room.
        const running = clients.run(() => serving.address)
        await sleep(1_000)
        await running.stop()
        expect(clients.received.length).toBeGreaterThan(0)
        expect(clients.otherwise.size).toBe(0)
        disk.free()
        await expect
          .poll(inForce, { timeout: 20_000 })
          .toEqual({ commit: next, conditions: ['Synced'] })
        expect(await serving.stop()).toBe(0)
        const again = await at.start()
        expect((await connection.ask(again.address, { path: '/readyz' })).status).toBe(200)
        expect(await again.stop()).toBe(0)
        const mirror = join(disk.path, 'data/policy/default')
        const [clone] = readdirSync(mirror, { recursive: true, encoding: 'utf8' }).filter((name) =>
          name.endsWith('HEAD'),
        )
        const directory = join(mirror, clone ?? '', '..')
        const checked = spawnSync('git', ['--git-dir', directory, 'fsck', '--strict'], {
          encoding: 'utf8',
          // As the service runs it: whose folder it is, is not git's business here.
          env: { PATH: process.env.PATH, HOME: '/', GIT_CONFIG_NOSYSTEM: '1' },
        })
        expect(checked.stderr).not.toMatch(/error|missing|corrupt/)
        expect(checked.status).toBe(0)
      },
      SLOW,
    )

    test('an endorsement that does not fit leaves the one before, whole', async () => {
      const at = new Date()
      const entryOf = (bytes: Uint8Array) => ({
        name: 'intel/root-ca-crl',
        sha256: createHash('sha256').update(bytes).digest('hex'),
        size: bytes.length,
        issuedAt: at,
        fetchedAt: at,
        notAfter: new Date(at.getTime() + 3600_000),
        refreshAt: undefined,
      })
      const [old, next] = [Buffer.alloc(1_000, 'o'), Buffer.alloc(1_000_000, 'n')]
      const folder = join(disk.path, 'endorsements')
      const cache = await openDisk(folder, { now: () => at })
      await cache.write(entryOf(old), old)
      disk.fill()
      await expect(cache.write(entryOf(next), next)).rejects.toThrow('ENOSPC')
      const [kept, ...others] = await cache.load()
      expect(others).toEqual([])
      expect(kept && (await cache.read(kept))).toEqual(old)
      disk.free()
      await cache.write(entryOf(next), next)
      const [now] = await (await openDisk(folder, { now: () => at })).load()
      expect(now && (await cache.read(now))).toEqual(next)
    })

    test('what is kept durably is the old text or the new one, and leaves nothing half written', async () => {
      const file = join(disk.path, 'kept/one')
      await keepDurably(file, Buffer.from('old'))
      disk.fill()
      const large = Buffer.alloc(1_000_000, 'x')
      await expect(keepDurably(file, large)).rejects.toThrow('ENOSPC')
      expect(readFileSync(file, 'utf8')).toBe('old')
      expect(readdirSync(join(disk.path, 'kept'))).toEqual(['one'])
      disk.free()
      await keepDurably(file, large)
      expect(readFileSync(file).length).toBe(large.length)
    })
  })
})
