/** Does a simulated fleet speak as agents do, to the real service over real HTTP, and is what it says of it true? */
import { afterAll, describe, expect, test } from 'vitest'
import type { Target } from '../../enclave/fleet/fleet-connection.ts'
import { type FleetPlan, FleetRefused, runFleet } from '../../enclave/fleet/run-fleet.ts'
import { attester, policyOf, runService } from '../http/running-service.ts'
import { COLLECTOR, codeEvent, watchedManifest } from '../http/session-scene.ts'

const service = await runService({ policy: await policyOf(watchedManifest()) })
afterAll(service.close)

const url = new URL(service.address)
const target: Target = {
  host: url.hostname,
  port: Number(url.port),
  isTls: false,
  name: url.host,
}

function plan(changes: Partial<FleetPlan> = {}, agent: object = {}): FleetPlan {
  return {
    target,
    agents: 12,
    agentOf: () => ({
      identity: {
        tenant: 'default',
        environment: 'prod',
        agent: 'invoice-bot',
        verifier: service.simulated,
      },
      attester: attester(),
      service: service.url,
      audiences: [],
      collector: COLLECTOR,
      modes: 'files',
      measurements: [codeEvent()],
      now: () => service.clock.at.getTime(),
      ...agent,
    }),
    opensPerSecond: 100,
    heartbeatSeconds: 0.25,
    durationSeconds: 0.5,
    settleSeconds: 0,
    connections: 4,
    renewTokensSeconds: 0,
    closes: false,
    pids: [process.pid],
    ...changes,
  }
}

const never = new AbortController().signal
const sessionsThere = async () =>
  (await service.verifier.store.sessionsOf('default', { limit: 100 })).length

describe('a fleet', () => {
  test('opens a session for each agent, and each is heard with something new in every period', async () => {
    const before = await sessionsThere()
    const report = await runFleet(plan(), () => {}, never)
    expect(report.open).toBe(12)
    expect(report.opening.latency.count).toBe(12)
    expect(report.states).toEqual({ ACTIVE: 12 })
    expect(report.measured.errors).toEqual({})
    // Two periods, as far as nothing else held the processor; the first and the last may fall outside.
    expect(report.measured.heartbeats.count).toBeGreaterThanOrEqual(12)
    expect(report.measured.heartbeats.count).toBeLessThanOrEqual(30)
    expect(report.service[0]?.residentMiB).toBeGreaterThan(10)
    const sessions = await service.verifier.store.sessionsOf('default', { limit: 100 })
    expect(sessions.length).toBe(before + 12)
    expect(new Set(sessions.map(({ jkt }) => jkt)).size).toBe(sessions.length)
    expect(new Set(sessions.map(({ boot }) => boot)).size).toBe(sessions.length)
    for (const { seq, checkpoint } of sessions) {
      expect(seq).toBeGreaterThanOrEqual(1)
      // One event with each message, the opening one included.
      expect(checkpoint.behaviour.count).toBe(seq + 1)
      expect(checkpoint.measurement.count).toBe(1)
    }
  })

  test('asks for tokens where that is wanted, and closes what it opened', async () => {
    const report = await runFleet(
      plan({ agents: 4, renewTokensSeconds: 0.25, closes: true }),
      () => {},
      never,
    )
    expect(report.measured.tokens.count).toBeGreaterThan(0)
    const all = await service.verifier.store.sessionsOf('default', { limit: 100 })
    expect(all.filter(({ standing }) => standing === 'closed').length).toBe(4)
  })

  test('sends a new quote where one is due', async () => {
    const later = service.clock.at.getTime() + 3_600_000
    const report = await runFleet(plan({ agents: 2 }, { now: () => later }), () => {}, never)
    expect(report.measured.quotes.count).toBeGreaterThan(0)
    expect(report.measured.heartbeats.count).toBe(0)
    expect(report.measured.errors).toEqual({})
  })

  test('that would be refused is told so by its first agent, and opens nothing', async () => {
    const before = await sessionsThere()
    const running = runFleet(plan({}, { collector: `sha256:${'ab'.repeat(32)}` }), () => {}, never)
    await expect(running).rejects.toThrow(FleetRefused)
    await expect(running).rejects.toThrow(/evidence-rejected/)
    expect(await sessionsThere()).toBe(before)
  })

  test('counts what is refused by its code', async () => {
    const running = runFleet(plan({ agents: 3, durationSeconds: 1 }), () => {}, never)
    // The policy is gone meanwhile: nothing is judged any more.
    const { current } = service.policy
    setTimeout(() => {
      service.policy.current = undefined
    }, 500)
    const report = await running
    service.policy.current = current
    expect(report.measured.errors).toMatchObject({
      'heartbeat policy-unavailable': expect.any(Number),
    })
  })

  test('ends early with a report of what was', async () => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 600)
    const report = await runFleet(plan({ agents: 3, durationSeconds: 600 }), () => {}, stop.signal)
    expect(report.open).toBe(3)
    expect(report.measured.seconds).toBeLessThan(5)
  })

  test('does not wait for a service that is not there', async () => {
    const gone = plan({ target: { ...target, port: 1 } })
    await expect(runFleet(gone, () => {}, never)).rejects.toThrow(/unreachable/)
  })
})
