/**
 * A fleet of sessions on a real PostgreSQL while the service, a replica, the database or the clock fails: nobody is suspended or
 * revoked for it, nobody is longer active for it, and nothing that a machine may be asked to forget is written.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { openPostgresStore } from '#src/adapters/postgres-store.ts'
import type { SessionState } from '#src/rats/session-message.ts'
import type { Store } from '#src/service/ports.ts'
import {
  AT,
  bearer,
  get,
  policyOf,
  type RunningService,
  runService,
} from '../http/running-service.ts'
import { later, type Speaker, speaker, watchedManifest } from '../http/session-scene.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'

const FLEET = 8
const policy = await policyOf(watchedManifest())

describeWithPostgres('a fleet of sessions', () => {
  let postgres: Postgres
  let store: Store
  let running: RunningService[]
  let fleet: readonly Speaker[]
  const replica = async (publicUrl?: string, of = store) => {
    const made = await runService({
      store: of,
      policy,
      isClockSteady: true,
      ...(publicUrl !== undefined && { publicUrl }),
    })
    running.push(made)
    return made
  }
  const open = async (of: RunningService) =>
    await Promise.all(
      Array.from({ length: FLEET }, async () => {
        const agent = await speaker(of)
        expect((await agent.open()).status).toBe(200)
        return agent
      }),
    )
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.stop())
  beforeEach(async () => {
    running = []
    store = await openPostgresStore(await postgres.database(), { migrations: 'apply' })
  })
  afterEach(async () => {
    for (const each of running) await each.close()
    await store.close()
  })

  /** With looks every five seconds, as its chore has them. */
  async function live(seconds: number, ...services: readonly RunningService[]) {
    for (let passed = 0; passed < seconds; passed += 5)
      for (const service of services) {
        later(service, 5)
        await service.chores('outages')
      }
  }
  async function states(service: RunningService): Promise<readonly SessionState[]> {
    const { status, json } = await get(`${service.address}/v1/sessions`, bearer('viewer'))
    expect(status).toBe(200)
    return [
      ...new Set<SessionState>(json.sessions.map(({ state }: { state: SessionState }) => state)),
    ]
  }
  async function untouched() {
    const sessions = await store.sessionsOf('default', { limit: 100 })
    expect(sessions.map(({ standing, reason }) => [standing, reason])).toEqual(
      Array.from({ length: FLEET }, () => ['open', '']),
    )
    const tokens = await store.liveTokens('default', { at: AT, selection: {}, limit: 100 })
    expect(tokens).toHaveLength(FLEET)
  }

  test('is late after a restart of a minute, revoked by nobody, and active with its next heartbeats', async () => {
    const before = await replica()
    fleet = await open(before)
    await live(5, before)
    const after = await replica(before.url)
    after.clock.at = new Date(AT.getTime() + 65_000)
    await after.chores('outages')
    expect(await states(after)).toEqual(['LATE'])
    await untouched()
    for (const agent of fleet) {
      const { id, ledger, answer } = agent
      const again = await speaker({ ...before, address: after.address }, { id, keys: agent.keys })
      Object.assign(again, { ledger, answer })
      expect((await again.heartbeat()).json.state).toBe('ACTIVE')
    }
    expect(await states(after)).toEqual(['ACTIVE'])
  })

  test('that stays silent after it is suspended by what the service heard, no later than ever', async () => {
    const before = await replica()
    fleet = await open(before)
    const after = await replica(before.url)
    after.clock.at = new Date(AT.getTime() + 60_000)
    await after.chores('outages')
    await live(35, after)
    expect(await states(after)).toEqual(['LATE'])
    await live(5, after)
    expect(await states(after)).toEqual(['SUSPENDED'])
    await untouched()
  })

  test('is judged as ever where one replica of two is lost', async () => {
    const [lost, lasting] = [await replica(), await replica()]
    fleet = await open(lost)
    await live(40, lasting)
    expect(await states(lasting)).toEqual(['SUSPENDED'])
    await untouched()
  })

  test('is judged by nobody while the database is gone, and is late when it is back', async () => {
    const service = await replica()
    fleet = await open(service)
    await postgres.crash()
    for (let passed = 0; passed < 60; passed += 5) {
      later(service, 5)
      await expect(service.chores('outages')).rejects.toMatchObject({ code: 'storage-unavailable' })
    }
    await postgres.start()
    const first = await fleet[0]?.heartbeat()
    expect(first?.json.code).toBe('storage-unavailable')
    await expect
      .poll(
        () =>
          service.chores('outages').then(
            () => 'looked',
            () => 'gone',
          ),
        { timeout: 10_000 },
      )
      .toBe('looked')
    expect(await states(service)).toEqual(['LATE'])
    await untouched()
    for (const agent of fleet) expect((await agent.heartbeat()).json.state).toBe('ACTIVE')
  }, 60_000)

  test('is late, and neither suspended nor longer active, by a clock that is set back', async () => {
    const service = await replica()
    fleet = await open(service)
    later(service, -600)
    expect(await states(service)).toEqual(['LATE'])
    later(service, 600)
    await service.chores('outages')
    expect(await states(service)).toEqual(['ACTIVE'])
    await live(20, service)
    expect(await states(service)).toEqual(['LATE'])
    await untouched()
  })
})
