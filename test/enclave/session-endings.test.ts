/** Does a watched agent stop when it must, begin again when it may, and come back after an outage without a stampede? */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ServiceUnreachable } from '../../enclave/client/faults.ts'
import { keepSession } from '../../enclave/session/keep-session.ts'
import type { WatchedSession } from '../../enclave/session/watched-session.ts'
import { AT, bearer, policyOf, post, type RunningService } from '../http/running-service.ts'
import { refusal } from './faulty-network.ts'
import { put, SECRET, textOf } from './release-scene.ts'
import { sessionAt, watchedManifest, watchingService } from './session-scene.ts'
import { measurementOf } from './told-collector.ts'

const SCOPED = (text: string) =>
  text.replace('ttl: 240s', 'ttl: 240s\n      scopes: ["secret:db-ro"]')

let service: RunningService
beforeAll(async () => {
  service = await watchingService(['approved'], SCOPED)
})
afterAll(() => service.close())
beforeEach(() => {
  service.clock.at = AT
})

describe('an agent that did what its release does not allow', () => {
  test('stops: nothing is signed any more, its leases are over and their secrets zero', async () => {
    service.policy.current = await policyOf(
      watchedManifest(['approved'], (text) =>
        SCOPED(text).replace('kms.example\n', `${service.url}\n`),
      ),
    )
    await put(service, 'secret:db-ro', SECRET)
    const { session, collector, pass, news, said } = await sessionAt(service, {
      audience: service.url,
    })
    const released = await session.release('secret:db-ro')
    expect(textOf(released)).toBe(SECRET)
    const lease = session.openLease(released)
    said()
    collector.happened({ measurement: measurementOf('injected') })
    await pass(10_000)
    expect(session.signal.reason).toMatchObject({ name: 'SessionOver', state: 'QUARANTINED' })
    expect(lease.signal.reason).toMatchObject({ end: 'refused' })
    expect([...released.secret].every((byte) => byte === 0)).toBe(true)
    await expect(session.tokens()).rejects.toMatchObject({ state: 'QUARANTINED' })
    await expect(session.release('secret:db-ro')).rejects.toMatchObject({ state: 'QUARANTINED' })
    expect(news.at(-1)).toMatchObject({ kind: 'over' })
    await pass(60_000)
    expect(said()).toEqual(['heartbeats'])
  })

  test('stops at what its very first message says: no session is opened', async () => {
    const opening = sessionAt(service, {}, ({ collector }) =>
      collector.happened({ measurement: measurementOf('injected') }),
    )
    await expect(opening).rejects.toMatchObject({ code: 'evidence-rejected' })
  })

  afterEach(async () => {
    service.policy.current = await policyOf(watchedManifest(['approved'], SCOPED))
  })
})

describe('a session that the verifier', () => {
  test('does not know any more is followed by another, with all that was measured', async () => {
    const { session, collector, pass, network, news } = await sessionAt(service, {}, (before) =>
      before.collector.happened({ measurement: measurementOf('approved') }),
    )
    const before = session.latest()?.answer.id
    network.next(/heartbeats/, refusal(404, 'session-unknown'))
    await pass(10_000)
    expect(session.latest()).toMatchObject({
      answer: { state: 'ACTIVE', seq: 0 },
      counts: { measurement: 1 },
    })
    expect(session.latest()?.answer.id).not.toBe(before)
    expect(collector.restarts).toBe(2)
    expect(news.map(({ kind }) => kind)).toContain('reopening')
    await session.tokens()
  })

  test('is behind is followed by another', async () => {
    const { session, pass, network } = await sessionAt(service)
    const before = session.latest()?.answer.id
    network.next(/heartbeats/, refusal(409, 'session-behind'))
    await pass(10_000)
    expect(session.latest()?.answer).toMatchObject({ seq: 0 })
    expect(session.latest()?.answer.id).not.toBe(before)
  })

  test.each([
    ['quarantine', 'QUARANTINED'],
    ['evict', 'REVOKED'],
  ])('is told to %s is over, and says so', async (action, state) => {
    const { session, pass } = await sessionAt(service)
    await act(session, action)
    await pass(10_000)
    expect(session.signal.reason).toMatchObject({ state })
  })

  test('wants a quote of brings one at once', async () => {
    const { session, pass, said, news } = await sessionAt(service)
    await act(session, 'quote')
    said()
    await pass(10_500)
    expect(said()).toEqual(['heartbeats', 'attestations'])
    expect(news).toContainEqual({ kind: 'quoted', because: 'operator' })
  })
})

async function act(session: WatchedSession, action: string): Promise<void> {
  const address = `${service.url}/v1/sessions/${session.latest()?.answer.id}/actions`
  const body = JSON.stringify({ action, reason: 'a test' })
  const { status, json } = await post(address, body, bearer('operator'))
  if (status !== 200) throw new Error(JSON.stringify(json))
}

describe('an outage', () => {
  test('of a minute ends with a quote in the same session, and tokens', async () => {
    const { session, pass, network } = await sessionAt(service)
    const { id } = session.latest()?.answer ?? {}
    network.down(/./)
    await pass(60_000)
    network.letBe()
    await pass(31_000)
    expect(session.latest()?.answer).toMatchObject({ id, state: 'ACTIVE' })
    await session.tokens()
  })

  test('of hours costs no more than a question every half minute, at no common moment', async () => {
    const waits = await waitsOf([0.1, 0.9, 0.4])
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_000)
    expect(new Set(waits.slice(-3)).size).toBe(3)
  })

  test('a quote that is refused does not keep heartbeats from being sent', async () => {
    const { session, pass, network, said, news } = await sessionAt(service)
    said()
    for (let times = 0; times < 9; times++)
      network.next(/attestations$/, refusal(403, 'evidence-rejected'))
    await pass(130_000)
    const asked = said().filter((each) => each !== 'tokens')
    expect(asked.filter((each) => each === 'attestations').length).toBeLessThan(4)
    expect(asked.filter((each) => each === 'heartbeats').length).toBeGreaterThan(8)
    expect(news).toContainEqual(expect.objectContaining({ kind: 'refused' }))
    expect(session.latest()?.answer.state).toBe('ACTIVE')
  })
})

/** Of a session whose verifier answers nothing, for fourteen attempts. */
async function waitsOf(fractions: readonly number[]) {
  const waits: number[] = []
  const stop = new AbortController()
  let now = 0
  let drawn = 0
  const failing = async () => Promise.reject(new ServiceUnreachable('nothing came'))
  await keepSession(
    { latest: () => undefined, heartbeat: failing, quote: failing },
    {
      surroundings: {
        fetch,
        monotonicMs: () => now,
        wallMs: () => now,
        fraction: () => fractions[drawn++ % fractions.length] ?? 0,
        async wait(ms) {
          waits.push(ms)
          now += ms
          if (waits.length === 14) stop.abort()
        },
      },
      told: () => {},
      serviceMs: () => now,
      signal: stop.signal,
    },
  )
  return waits
}
