/**
 * Releases while the token is being revoked, on a real PostgreSQL: each comes before or after, nobody gets a secret after, and
 * the log shows the order in which they happened.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openPostgresStore } from '#src/adapters/postgres-store.ts'
import type { Store } from '#src/service/ports.ts'
import { bearer, post } from '../http/running-service.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { type ReleaseScene, releaseScene } from './scene.ts'

describeWithPostgres('releases that race a revocation', () => {
  let postgres: Postgres
  let store: Store
  let scene: ReleaseScene

  beforeAll(async () => {
    postgres = await startPostgres()
    store = await openPostgresStore(postgres.url, { migrations: 'apply' })
    scene = await releaseScene({ store })
    await scene.put('secret:db')
  })
  afterAll(async () => {
    await scene.service.close()
    await store.close()
    await postgres.stop()
  })

  test.each([0, 1, 2])('come before it, or fail (%i)', async () => {
    const agent = await scene.agent()
    const given: Answer[] = []
    const refused: Answer[] = []
    // Each asks until it is refused.
    const asking = Array.from({ length: 8 }, async () => {
      while (refused.length < 8) {
        const answer = await scene.release(agent)
        if (answer.status !== 200) return void refused.push(answer)
        given.push(answer)
      }
    })
    await vi.waitUntil(() => given.length >= 16, { timeout: 20_000 })
    const revoked = await post(
      `${scene.service.url}/v1/revocations`,
      JSON.stringify({ token: agent.jti }),
      bearer('operator'),
    )
    expect(revoked.json.revoked).toBe(1)
    await Promise.all(asking)
    for (const { status, json } of refused)
      expect([status, json.code]).toEqual([401, 'possession-token-refused'])

    while ((await store.countWaitingLeaves()) > 0) await scene.service.chores('log')
    const entry = await revocationIndex(store, agent.jti)
    for (const { json } of given) {
      const place = await store.leafPlace(Buffer.from(json.logLeaf, 'hex'))
      expect(place).toMatchObject({ in: 'log', index: expect.any(Number) })
      expect(place && 'index' in place ? place.index : entry).toBeLessThan(entry)
    }
  })
})

type Answer = Awaited<ReturnType<ReleaseScene['release']>>

/** The last leaf that is a revocation: one was made just now. */
async function revocationIndex(store: Store, jti: string): Promise<number> {
  const { size = 0 } = (await store.logHead()) ?? {}
  const entries = await store.logEntries(0, size)
  const index = entries.findLastIndex(
    (entry) => JSON.parse(new TextDecoder().decode(entry)).kind === 'revocation',
  )
  if (index < 0) throw new Error(`the revocation of ${jti} is not in the log`)
  return index
}
