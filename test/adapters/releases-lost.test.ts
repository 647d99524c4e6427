/** No release that was acknowledged is lost, whenever the process or the database goes; and none is half there. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, test } from 'vitest'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { openPostgresStore } from '#src/adapters/postgres-store.ts'
import { fromHex } from '#src/bytes/encoding.ts'
import type { Store } from '#src/service/ports.ts'
import { describeWithPostgres, startPostgres } from '../postgres.ts'
import type { Acknowledged } from './killed-releaser.ts'
import { issue, put, release } from './release-records.ts'
import { LASTING } from './release-replicas.ts'
import { LATER } from './store-records.ts'

const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-releases-lost-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

async function expectKept(store: Store, all: readonly Acknowledged[]): Promise<void> {
  expect(all.length).toBeGreaterThan(0)
  for (const { id, proof, leaf } of all) {
    expect((await store.findRelease(id))?.id).toBe(id)
    expect(await store.leafPlace(fromHex(leaf) ?? expect.fail())).toEqual({ in: 'waiting' })
    expect(await store.useOnce('dpop', proof, LATER)).toBe(false)
  }
}

test('on PGlite, in a process that is killed', { timeout: 120_000 }, async () => {
  const program = join(import.meta.dirname, 'killed-releaser.ts')
  const all: Acknowledged[] = []
  for (let round = 0; round < 4; round += 1) {
    const child = spawn(process.execPath, [program, scratch], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    let isDoomed = false
    for await (const line of createInterface({ input: child.stdout })) {
      all.push(JSON.parse(line))
      if (isDoomed) continue
      isDoomed = true
      setTimeout(() => child.kill('SIGKILL'), 100 * round)
    }
    expect(await ended).toEqual([null, 'SIGKILL'])
  }
  const store = await openPgliteStore(scratch)
  await expectKept(store, all)
  await store.close()
})

describeWithPostgres('on PostgreSQL', () => {
  test('that is lost while two replicas release', { timeout: 60_000 }, async () => {
    const server = await startPostgres()
    const open = async () => await openPostgresStore(server.url, { migrations: 'apply' })
    const replicas = [await open(), await open()] as const
    await put(replicas[0], 'secret:lost')
    await issue(replicas[0], ['lost'], LASTING)
    for (let round = 0; round < 4; round += 1) {
      const kept: Acknowledged[] = []
      let isOver = false
      await Promise.all(
        Array.from({ length: 16 }, async (_, n) => {
          while (!isOver) {
            const made = release({ resource: 'secret:lost', jti: 'lost' })
            const outcome = await (n % 2 ? replicas[0] : replicas[1])
              .recordRelease(made)
              .catch((error: unknown) => error)
            if (outcome === 'recorded') {
              kept.push({
                id: made.release.id,
                proof: made.proof?.id ?? '',
                leaf: Buffer.from(made.leaf.leafHash).toString('hex'),
              })
              if (kept.length === 1) setTimeout(() => void server.crash(), 30 * (round + 1))
            } else {
              expect(outcome).toMatchObject({ code: 'storage-unavailable' })
              isOver = true
            }
          }
        }),
      )
      await server.crash()
      await server.start()
      await expectKept(replicas[0], kept)
    }
    await Promise.all(replicas.map((store) => store.close()))
    await server.stop()
  })
})
