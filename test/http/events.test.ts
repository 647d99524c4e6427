/** Streams of events over real HTTP: what is told to whom, how fast, what a reader that comes back gets, and what one that does not read costs. */
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { HEARTBEAT_MS } from '#src/http/event-stream.ts'
import { leaf } from '../adapters/store-records.ts'
import { attestAt } from './attempt.ts'
import { type EventReader, readEvents } from './event-reader.ts'
import {
  AT,
  bearer,
  get,
  post,
  type RunningService,
  runService,
  tokens,
} from './running-service.ts'

let service: RunningService
const open: EventReader[] = []
beforeAll(async () => {
  service = await runService()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((reader) => reader.close()))
  await expect.poll(service.streams.count).toBe(0)
})
afterAll(() => service.close())

const follow = async (query = '', headers: Readonly<Record<string, string>> = {}) => {
  const reader = await readEvents(`${service.url}/v1/events${query}`, {
    ...bearer('viewer'),
    ...headers,
  })
  open.push(reader)
  return reader
}
const followPublic = async (issuer = service.simulated) => {
  const reader = await readEvents(`${issuer}/status-events`)
  open.push(reader)
  return reader
}

/** Issues a token and revokes it. */
async function revoked() {
  const { json } = await attestAt(service)
  const [token] = json.tokens
  await post(
    `${service.url}/v1/revocations`,
    JSON.stringify({ token: token.jti }),
    bearer('operator'),
  )
  return token
}

let keys = 0

/** Nobody's key, so that only the stream cares. */
async function keyChanged(): Promise<string> {
  const { store } = service.verifier
  const kid = `key ${keys++}`
  const key = {
    kid,
    purpose: 'federation:https://nobody.example',
    createdAt: AT,
    activeFrom: AT,
    revokedAt: undefined,
    sealed: new Uint8Array(1),
  } as const
  const newest = await store.keepFirstKey({ ...key, kid: 'first' })
  if ((await store.addKey(key, newest.kid, leaf({ kind: 'keys' }))) !== 'added')
    throw new Error('not added')
  return kid
}

describe('the stream of events', () => {
  test('tells of a revocation within a second, with everything but secrets', async () => {
    const reader = await follow()
    expect(reader.headers.get('content-type')).toBe('text/event-stream')
    const began = performance.now()
    const token = await revoked()
    const event = await reader.next()
    const took = performance.now() - began
    expect(event).toMatchObject({
      event: 'token.revoked',
      data: {
        tenant: 'default',
        jti: token.jti,
        issuer: token.issuer,
        status: { uri: token.status.uri, idx: token.status.index },
        expiresAt: token.expiresAt,
        reason: 'operator',
      },
    })
    expect(took).toBeLessThan(1000)
    expect(JSON.stringify(event)).not.toContain('otto')
  })

  test('tells of what another replica did at the next look', async () => {
    const reader = await follow()
    const next = reader.next()
    const kid = await keyChanged()
    await service.chores('events')
    expect(await next).toMatchObject({ event: 'keys.changed', data: { kid } })
  })

  test('of one tenant says nothing of another’s', async () => {
    const acme = await follow('?tenant=acme')
    await revoked()
    await keyChanged()
    await service.chores('events')
    // About the service as a whole, and after the revocation.
    expect(await acme.next()).toMatchObject({ event: 'keys.changed' })
  })

  test('goes on where a reader was cut off, however much it missed', async () => {
    const first = await follow()
    await revoked()
    const seen = await first.next()
    await first.close()
    const missed: string[] = []
    for (let n = 0; n < 3; n++) missed.push((await revoked()).jti)
    const again = await follow('', { 'last-event-id': first.lastEventId() })
    const told: unknown[] = []
    for (let n = 0; n < 3; n++) told.push((await again.next())?.data)
    expect(told).toMatchObject(missed.map((jti) => ({ jti })))
    missed.push((await revoked()).jti)
    expect(await again.next()).toMatchObject({ data: { jti: missed[3] } })
    expect(Number(again.lastEventId())).toBeGreaterThan(Number(seen?.id))
  })

  test('tells a thousand missed events in order, each once, while more happen', async () => {
    const { store } = service.verifier
    const last = await store.lastEvent()
    const reader = await follow('', { 'last-event-id': `${last}` })
    for (let n = 0; n < 600; n++) await keyChanged()
    const rest = (async () => {
      for (let n = 0; n < 400; n++) {
        await keyChanged()
        if (n % 50 === 0) await service.chores('events')
      }
      await service.chores('events')
    })()
    const ids: number[] = []
    for (let n = 0; n < 1000; n++) ids.push(Number((await reader.next())?.id))
    await rest
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
    expect(new Set(ids).size).toBe(1000)
  })

  test('begins with what happens, for a reader that has seen nothing', async () => {
    await revoked()
    const reader = await follow()
    const { jti } = await revoked()
    expect(await reader.next()).toMatchObject({ data: { jti } })
  })

  test('gives a place to come back to before anything has happened', async () => {
    await revoked()
    const reader = await follow()
    const next = reader.next().catch(() => undefined)
    await expect.poll(reader.lastEventId).toBe(`${await service.verifier.store.lastEvent()}`)
    await reader.close()
    await next
  })

  test('says so when a reader comes with an id that was never given out', async () => {
    const reader = await follow('', { 'last-event-id': '999999' })
    expect(await reader.next()).toMatchObject({ event: 'reset' })
    const { jti } = await revoked()
    expect(await reader.next()).toMatchObject({ data: { jti } })
  })

  test.each([
    ['', { 'last-event-id': 'x' }, 400, 'request-malformed'],
    ['?tenant=nobody', {}, 404, 'tenant-unknown'],
    ['?tenent=default', {}, 400, 'request-malformed'],
    ['', { authorization: 'Bearer nobody' }, 401, 'operator-unauthenticated'],
    ['', { authorization: `Bearer ${tokens.enforcer}` }, 403, 'operator-forbidden'],
  ])('%s %j: %d %s', async (query, headers, status, code) => {
    const answer = await get(`${service.url}/v1/events${query}`, {
      ...bearer('viewer'),
      ...headers,
    })
    expect([answer.status, answer.json.code]).toEqual([status, code])
  })
})

describe('the public stream of an issuer', () => {
  test('tells where a revoked token stands in the list, and nothing else', async () => {
    const reader = await followPublic()
    expect(reader.headers.get('access-control-allow-origin')).toBe('*')
    const began = performance.now()
    const { status } = await revoked()
    expect(await reader.next()).toEqual({
      id: '',
      event: 'token.revoked',
      data: { uri: status.uri, idx: status.index },
    })
    expect(performance.now() - began).toBeLessThan(1000)
  })

  test('says nothing of another issuer’s tokens', async () => {
    const other = await followPublic(service.url)
    const own = await followPublic()
    await revoked()
    await own.next()
    const silent = Symbol('silent')
    const next = other.next().catch(() => undefined)
    const after = new Promise((resolve) => setTimeout(resolve, 100, silent))
    expect(await Promise.race([next, after])).toBe(silent)
  })

  test('is open sixteen times to one address, and again when one ends', async () => {
    const many = await Promise.all(Array.from({ length: 16 }, () => followPublic()))
    expect(service.streams.count()).toBe(16)
    const refused = await get(`${service.simulated}/status-events`)
    expect([refused.status, refused.json.code]).toEqual([429, 'too-many-requests'])
    expect(refused.headers.get('retry-after')).toBe('10')
    // Another's room.
    expect((await follow()).status).toBe(200)
    await many[0]?.close()
    await expect.poll(service.streams.count).toBe(16)
    expect((await followPublic()).status).toBe(200)
  })
})

describe('a stream ends', () => {
  test('when its reader goes, and leaves nothing behind', async () => {
    const reader = await follow()
    expect(service.streams.count()).toBe(1)
    await reader.close()
    await expect.poll(service.streams.count).toBe(0)
  })

  test('when the service stops, at once and in good order', async () => {
    const stopping = await runService()
    const readers = await Promise.all([
      readEvents(`${stopping.url}/v1/events`, bearer('viewer')),
      readEvents(`${stopping.simulated}/status-events`),
    ])
    const ends = Promise.all(readers.map((reader) => reader.next()))
    const began = performance.now()
    await stopping.close()
    expect(performance.now() - began).toBeLessThan(2000)
    expect(await ends).toEqual([undefined, undefined])
  })

  test('is asked for by its headers alone, and opens none', async () => {
    const { status } = await fetch(`${service.url}/v1/events`, {
      method: 'HEAD',
      headers: bearer('viewer'),
    })
    await fetch(`${service.simulated}/status-events`, { method: 'HEAD' })
    expect([status, service.streams.count()]).toEqual([200, 0])
  })

  test('for a ninth of one operator before it begins', async () => {
    for (let n = 0; n < 8; n++) await follow()
    expect((await get(`${service.url}/v1/events`, bearer('viewer'))).status).toBe(429)
    expect((await follow('', bearer('operator'))).status).toBe(200)
  })

  test('when its reader does not read, whatever happens meanwhile', async () => {
    const { port } = new URL(service.url)
    const socket = await silentReader(Number(port))
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    await expect.poll(service.streams.count).toBe(1)
    const { events } = service.verifier
    // As fast as the feed would tell of them: more than socket, adapter and queue hold together.
    const store = service.verifier.store as {
      eventsAfter: typeof service.verifier.store.eventsAfter
    }
    const { eventsAfter } = store
    let sequence = await service.verifier.store.lastEvent()
    let told = 0
    store.eventsAfter = async (_after, limit) =>
      told >= 100_000
        ? []
        : Array.from({ length: limit }, () => {
            told++
            return {
              sequence: ++sequence,
              at: new Date(),
              kind: 'token.revoked' as const,
              tenant: 'default',
              fields: { detail: 'x'.repeat(500) },
            }
          })
    await events.poll()
    await expect.poll(service.streams.count).toBe(0)
    store.eventsAfter = eventsAfter
    socket.resume()
    await closed
    // The feed has gone past what the store will say from now on.
    await service.close()
    service = await runService()
  })
})

describe('while nothing happens', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('a sign of life comes every quarter of a minute, with the place to come back to', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const reader = await follow()
    const next = reader.next().catch(() => undefined)
    await expect.poll(() => reader.comments).toEqual(['following'])
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS)
    await expect.poll(() => reader.comments).toEqual(['following', 'still here'])
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS)
    await expect.poll(() => reader.comments).toHaveLength(3)
    await reader.close()
    await next
  })
})

/** With VOUCHSAFE_LONG=1: longer than any limit of the server's for a request. */
test.runIf(process.env.VOUCHSAFE_LONG === '1')(
  'no limit of the server ends a stream that is longer than it',
  async () => {
    const reader = await follow()
    await new Promise((resolve) => setTimeout(resolve, 40_000))
    const { jti } = await revoked()
    expect(await reader.next()).toMatchObject({ data: { jti } })
    expect(reader.comments).toEqual(['following', 'still here', 'still here'])
  },
  60_000,
)

async function silentReader(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
  socket.on('error', () => {})
  socket.pause()
  socket.write(
    `GET /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${tokens.viewer}\r\n\r\n`,
  )
  return socket
}
