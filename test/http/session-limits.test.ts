/** What messages of sessions may cost: those of agents are heard whatever stands in front of them, and those of strangers are cheap. */
import { afterEach, describe, expect, test } from 'vitest'
import { guardDefaults } from '#src/config/guard-settings.ts'
import { openGuard } from '#src/http/guard/guard.ts'
import { sessionCounts } from '#src/http/session-counts.ts'
import { policyOf, type RunningService, runService } from './running-service.ts'
import { type Speaker, speaker, unapprovedEvent, watchedManifest } from './session-scene.ts'

const policy = await policyOf(watchedManifest())
const off = {
  ...guardDefaults.rateLimits,
  ...{ challenges: undefined, attestations: undefined, public: undefined, tenant: undefined },
  ...{ session: undefined, tenantSessions: undefined, refusedMessages: undefined },
}
let service: RunningService | undefined
afterEach(async () => await service?.close())

async function limited(limits: Partial<typeof guardDefaults.rateLimits>): Promise<RunningService> {
  const rateLimits = { ...off, ...limits }
  service = await runService({ policy, guard: { rateLimits } })
  return service
}

async function opened(running: RunningService): Promise<Speaker> {
  const agent = await speaker(running)
  expect((await agent.open()).status).toBe(200)
  return agent
}

describe('messages of sessions', () => {
  test('are not counted by address, however many agents stand behind it', async () => {
    const running = await limited({
      attestations: 8,
      challenges: 8,
      session: 5,
      refusedMessages: 1,
    })
    const agents = [await opened(running), await opened(running), await opened(running)]
    for (let beat = 0; beat < 5; beat++)
      for (const agent of agents) expect((await agent.heartbeat()).status).toBe(200)
  })

  test('are counted by session', async () => {
    const running = await limited({ session: 3 })
    const agent = await opened(running)
    const other = await opened(running)
    for (let beat = 0; beat < 3; beat++) expect((await agent.heartbeat()).status).toBe(200)
    const refused = await agent.heartbeat()
    expect([refused.status, refused.json.code]).toEqual([429, 'too-many-requests'])
    expect(refused.headers.get('ratelimit-policy')).toBe('"session";q=3;w=10')
    expect((await other.heartbeat()).status).toBe(200)
  })

  test('are counted by tenant', async () => {
    const running = await limited({ tenantSessions: 3 })
    const agents = [await opened(running), await opened(running)]
    const statuses: number[] = []
    for (let beat = 0; beat < 2; beat++)
      for (const agent of agents) statuses.push((await agent.heartbeat()).status)
    expect(statuses).toEqual([200, 200, 200, 429])
  })

  test('of no session are counted by caller, before they are read, and agents that are known are heard on', async () => {
    const running = await limited({ refusedMessages: 2 })
    const agent = await opened(running)
    expect((await agent.heartbeat()).status).toBe(200)
    const stranger = await speaker(running)
    for (const status of [404, 404, 429, 429])
      expect((await stranger.heartbeat()).status).toBe(status)
    const huge = {
      path: `/v1/sessions/${stranger.id}/heartbeats`,
      body: 'a'.repeat(10),
      headers: {},
    }
    expect((await stranger.send(huge)).status).toBe(429)
    expect((await agent.heartbeat()).status).toBe(200)
    expect((await agent.tokens()).status).toBe(200)
  })

  test('of no session do not keep an agent from speaking that has only just opened its own', async () => {
    const running = await limited({ refusedMessages: 1 })
    const agent = await opened(running)
    const stranger = await speaker(running)
    await stranger.heartbeat()
    expect((await stranger.heartbeat()).status).toBe(429)
    expect((await agent.heartbeat()).status).toBe(200)
  })

  test('by another key are counted like those of no session', async () => {
    const running = await limited({ refusedMessages: 2 })
    const agent = await opened(running)
    const other = await opened(running)
    const message = await agent.heartbeatOf(agent.said().delta)
    const foreign = { ...message, path: `/v1/sessions/${other.id}/heartbeats` }
    for (let sent = 0; sent < 8; sent++) expect((await agent.send(foreign)).status).toBe(401)
    expect((await agent.send(foreign)).status).toBe(429)
  })

  test('larger than a heartbeat may be are refused unread', async () => {
    const running = await limited({})
    const agent = await opened(running)
    const body = 'a'.repeat(512 * 1024 + 1)
    const path = `/v1/sessions/${agent.id}/heartbeats`
    expect((await agent.send({ path, body, headers: {} })).json.code).toBe('body-too-large')
    for (const route of ['tokens', 'close'])
      expect(
        (
          await agent.send({
            path: `/v1/sessions/${agent.id}/${route}`,
            body: 'a'.repeat(9_000),
            headers: {},
          })
        ).json.code,
      ).toBe('body-too-large')
  })
})

test('messages have room of their own: a flood of evidence takes none of it', async () => {
  const admission = { mostInFlight: 1, mostWaiting: 0, mostLoopDelayMs: 10_000 }
  const guard = openGuard({ ...guardDefaults, admission })
  const leave = await guard.admission.enter()
  expect(() => guard.admission.assertRoom()).toThrow('overloaded')
  expect(() => guard.messages.assertRoom()).not.toThrow()
  const left = await Promise.all(
    Array.from({ length: 512 }, async () => await guard.messages.enter()),
  )
  const waiting = guard.messages.enter()
  expect(guard.messages.figures()).toEqual({ inFlight: 512, waiting: 1 })
  left[0]?.()
  ;(await waiting)()
  for (const each of [leave, ...left]) each()
  guard.close()
})

test('a path that names no session is none', async () => {
  const running = await limited({})
  const agent = await speaker(running)
  for (const id of ['x', '%00', 'A'.repeat(21), 'A'.repeat(23), `${'A'.repeat(21)}'`])
    expect(
      (await agent.send({ path: `/v1/sessions/${id}/heartbeats`, body: '', headers: {} })).status,
    ).toBe(404)
})

test('what failed is told to strangers by its id, and with the findings to whom it is explained', async () => {
  for (const explainRefusals of [true, false]) {
    const running = await runService({ policy, explainRefusals })
    const agent = await opened(running)
    const { json } = await agent.heartbeat({ measurement: [unapprovedEvent()] })
    expect(json).toMatchObject({ state: 'QUARANTINED', failing: ['runtime.code.approved'] })
    expect('findings' in json).toBe(explainRefusals)
    expect(json.detail.includes('ee'.repeat(32))).toBe(explainRefusals)
    await running.close()
  }
})

test('messages are counted by kind and by what became of them', () => {
  const { count, figures } = sessionCounts()
  count('heartbeat', 'accepted')
  count('heartbeat', 'accepted')
  count('heartbeat', 'session-over')
  expect(figures().filter(({ count: counted }) => counted > 0)).toEqual([
    { kind: 'heartbeat', outcome: 'accepted', count: 2 },
    { kind: 'heartbeat', outcome: 'session-over', count: 1 },
  ])
  expect(figures().map(({ kind }) => kind)).toContain('quote')
})
