/** Does a watched agent say what it must, when it must, and never anything else in place of what it has said? */
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AT, type RunningService } from '../http/running-service.ts'
import { broken, type FaultyNetwork } from './faulty-network.ts'
import { sessionAt, watchingService } from './session-scene.ts'
import { behaviourOf, measurementOf } from './told-collector.ts'

let service: RunningService
beforeAll(async () => {
  service = await watchingService(['approved', 'other'])
})
afterAll(() => service.close())
beforeEach(() => {
  service.clock.at = AT
})

describe('a session', () => {
  test('opens with everything that was measured, and its tokens are its own', async () => {
    const { session, said, collector, kinds } = await sessionAt(service, {}, (before) =>
      before.collector.happened({ measurement: measurementOf('approved') }),
    )
    const { tokens } = await session.tokens()
    const { answer, counts } = session.latest() ?? {}
    expect(answer).toMatchObject({ state: 'ACTIVE', seq: 0 })
    expect(counts).toEqual({ measurement: 1, behaviour: 0 })
    expect(decodeJwt(tokens[0]?.token ?? '')).toMatchObject({ att_session: answer?.id })
    expect(said()).toEqual([''])
    expect(collector.restarts).toBe(1)
    expect(kinds()).toEqual(['opened', 'state'])
  })

  test('says that it is there, before each interval has passed, and what is new', async () => {
    const { session, said, collector, pass } = await sessionAt(service)
    said()
    collector.happened({ behaviour: behaviourOf(443) })
    await pass(9_500)
    expect(said()).toEqual(['heartbeats'])
    expect(session.latest()).toMatchObject({ counts: { behaviour: 1 }, answer: { seq: 1 } })
    await pass(30_000)
    expect(said()).toEqual(['heartbeats', 'heartbeats', 'heartbeats'])
    expect(session.latest()).toMatchObject({
      answer: { state: 'ACTIVE' },
      counts: { behaviour: 1 },
    })
    // Each look is over blocks that only the last answer names.
    expect(new Set(collector.nonces).size).toBe(collector.nonces.length)
  })

  test('renews its tokens at half of their life, without evidence', async () => {
    const { session, said, pass } = await sessionAt(service)
    const first = await session.tokens()
    expect(first.possession.lifetimeSeconds).toBe(120)
    said()
    await pass(61_000)
    expect(said().filter((each) => each !== 'heartbeats')).toEqual(['tokens'])
    expect((await session.tokens()).possession.jti).not.toBe(first.possession.jti)
  })

  test('quotes when it is due, and no sooner', async () => {
    const { said, pass, kinds } = await sessionAt(service)
    said()
    await pass(85_000)
    expect(said()).not.toContain('attestations')
    await pass(40_000)
    expect(said().filter((each) => each === 'attestations')).toHaveLength(1)
    expect(kinds()).toContain('quoted')
  })

  test('quotes when it has grown, at once, and everything was told before', async () => {
    const { said, pass, collector, session, news } = await sessionAt(service)
    said()
    collector.most = 1
    collector.happened({ measurement: measurementOf('approved') })
    collector.happened({ measurement: measurementOf('other') })
    await pass(11_000)
    expect(said()).toEqual(['heartbeats', 'heartbeats', 'attestations'])
    expect(session.latest()).toMatchObject({ counts: { measurement: 2 }, isQuote: true })
    expect(news).toContainEqual({ kind: 'quoted', because: 'growth' })
  })

  test('closes, and the verifier knows', async () => {
    const { session, said, collector } = await sessionAt(service)
    const { id = '' } = session.latest()?.answer ?? {}
    await session.close()
    expect(said().at(-1)).toBe('close')
    expect(session.signal.reason).toMatchObject({ name: 'SessionOver', state: 'CLOSED' })
    expect(collector.isClosed).toBe(true)
    await expect(session.tokens()).rejects.toThrow('closed')
    expect(await service.verifier.store.findSession(id)).toMatchObject({ standing: 'closed' })
  })
})

describe('an answer that is lost', () => {
  test.each([
    ['of a heartbeat', /heartbeats/, 9_500],
    ['of a quote', /attestations/, 115_000],
  ])('%s: the very same bytes are said again, and the history goes on', async (_, path, ms) => {
    const scene = await sessionAt(service)
    scene.network.next(path, async (pass) => {
      expect((await pass()).status).toBe(200)
      return await broken()
    })
    await scene.pass(ms)
    await scene.pass(25_000)
    const [first, again] = bodiesOf(scene.network, path)
    expect(again).toBe(first)
    expect(scene.session.latest()?.answer.state).toBe('ACTIVE')
    expect(scene.news.filter(({ kind }) => kind === 'reopening')).toEqual([])
  })

  test('of the opening: it is opened once', async () => {
    const { session, news } = await sessionAt(service, {}, ({ network }) =>
      network.next(/sessions$/, async (pass) => {
        expect((await pass()).status).toBe(200)
        return await broken()
      }),
    )
    expect(session.latest()?.answer).toMatchObject({ state: 'ACTIVE', seq: 0 })
    await session.tokens()
    expect(news.filter(({ kind }) => kind === 'opened')).toHaveLength(1)
  })

  test('of a heartbeat, and then silence until it was suspended: a quote continues it', async () => {
    const { session, network, pass, news, collector } = await sessionAt(service)
    const { id } = session.latest()?.answer ?? {}
    collector.happened({ behaviour: behaviourOf(443) })
    network.next(/heartbeats/, async (passOn) => {
      expect((await passOn()).status).toBe(200)
      network.down(/./)
      return await broken()
    })
    await pass(60_000)
    network.letBe()
    await pass(31_000)
    expect(session.latest()?.answer).toMatchObject({ id, state: 'ACTIVE' })
    expect(session.latest()?.counts.behaviour).toBe(1)
    expect(news).toContainEqual({ kind: 'quoted', because: 'suspended' })
  })
})

/** Bodies of what was asked at that path. */
function bodiesOf({ asked, bodies }: FaultyNetwork, path: RegExp): readonly string[] {
  return bodies.filter((_, place) => path.test(asked[place] ?? ''))
}
