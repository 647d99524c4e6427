/** The guard before every request, over HTTP: quotas and their headers, room for attestations, and who is known as an operator. */
import { request as ask } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { guardDefaults, type RateLimits } from '#src/config/guard-settings.ts'
import { problemSchema } from '#src/http/responses.ts'
import { Problem } from '#src/problems.ts'
import { attestAt } from './attempt.ts'
import { rawRequest } from './raw-request.ts'
import { bearer, get, post, type RunningService, runService } from './running-service.ts'

let service: RunningService
afterEach(() => service.close())

async function limited(limits: Partial<RateLimits>, trustedProxies: readonly string[] = []) {
  const rateLimits = { ...guardDefaults.rateLimits, ...limits }
  service = await runService({ guard: { rateLimits, trustedProxies } })
}
const challenges = (headers = {}) => post(`${service.url}/v1/challenges`, '{}', headers)

describe('a quota', () => {
  test('is told with every answer, and its end with 429 and a time', async () => {
    await limited({ challenges: 2 })
    const first = await challenges()
    expect(first.status).toBe(200)
    expect(first.headers.get('ratelimit-policy')).toBe(
      '"challenges";q=2;w=10, "tenant";q=20000;w=10',
    )
    expect(first.headers.get('ratelimit')).toMatch(
      /^"challenges";r=1;t=\d+, "tenant";r=19999;t=\d+$/,
    )
    await challenges()
    const { status, headers, json } = await challenges()
    expect([status, json.code]).toEqual([429, 'too-many-requests'])
    expect(problemSchema.safeParse(json).success).toBe(true)
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect(headers.get('ratelimit')).toMatch(/^"challenges";r=0;t=\d+$/)
  })

  test('of one kind leaves the others, and health has none', async () => {
    await limited({ challenges: 1, public: 1 })
    await challenges()
    expect((await challenges()).status).toBe(429)
    expect((await get(`${service.url}/.well-known/jwks.json`)).status).toBe(200)
    expect((await get(`${service.url}/.well-known/jwks.json`)).status).toBe(429)
    expect((await get(`${service.url}/nowhere`)).status).toBe(429)
    for (let n = 0; n < 3; n++) {
      const ready = await get(`${service.url}/readyz`)
      expect(ready.status).toBe(200)
      expect(ready.headers.get('ratelimit')).toBeNull()
    }
  })

  test('is of a tenant too, however many its callers are', async () => {
    await limited({ tenant: 2 }, ['127.0.0.1'])
    const as = (caller: string) => challenges({ 'x-forwarded-for': caller })
    expect((await as('192.0.2.1')).status).toBe(200)
    expect((await as('192.0.2.2')).status).toBe(200)
    const { status, json } = await as('192.0.2.3')
    expect([status, json.detail]).toEqual([429, 'tenant: more than 2 in 10 s'])
    const other = await post(`${service.url}/v1/challenges`, '{"tenant":"acme"}')
    expect(other.status).toBe(200)
  })

  test('that is a tenant’s uses up no challenge', async () => {
    await limited({ tenant: 3 })
    const first = await attestAt(service)
    expect(first.status).toBe(200)
    expect((await challenges()).status).toBe(200)
    expect((await challenges()).status).toBe(429)
  })

  test('is the peer’s, whatever X-Forwarded-For says, unless the peer is a proxy of ours', async () => {
    await limited({ challenges: 1 })
    const as = (caller: string) => challenges({ 'x-forwarded-for': caller })
    expect((await as('192.0.2.1')).status).toBe(200)
    expect((await as('192.0.2.2')).status).toBe(429)
    await service.close()
    await limited({ challenges: 1 }, ['127.0.0.0/8'])
    expect((await as('192.0.2.1')).status).toBe(200)
    expect((await as('192.0.2.1')).status).toBe(429)
    expect((await as('192.0.2.2')).status).toBe(200)
    expect((await as('2001:db8::1')).status).toBe(200)
    expect((await as('2001:db8::ffff:2')).status).toBe(429)
    expect((await as(`${'1,'.repeat(1000)} 192.0.2.2`)).status).toBe(429)
  })

  test('is counted by the last of several X-Forwarded-For headers', async () => {
    await limited({ challenges: 1 }, ['127.0.0.1'])
    const as = (...lines: readonly string[]) =>
      rawRequest(service.url, (socket) => {
        const headers = lines.map((line) => `x-forwarded-for: ${line}\r\n`).join('')
        socket.write(
          `POST /v1/challenges HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 2\r\n${headers}\r\n{}`,
        )
      })
    expect((await as('192.0.2.1')).status).toBe(200)
    expect((await as('192.0.2.7', '192.0.2.8, 192.0.2.1')).status).toBe(429)
    expect((await as(...Array(200).fill('192.0.2.9'), '192.0.2.1')).status).toBe(429)
    expect((await as('192.0.2.1', '192.0.2.7')).status).toBe(200)
  })

  test('of an operator follows the name, and wrong tokens have their own', async () => {
    await limited({ operators: 2, failedOperators: 2, public: 1 })
    const policies = (headers: Readonly<Record<string, string>>) =>
      get(`${service.url}/v1/policies`, headers)
    expect((await policies(bearer('viewer'))).headers.get('ratelimit')).toMatch(
      /^"operators";r=1;t=\d+$/,
    )
    expect((await policies(bearer('viewer'))).status).toBe(200)
    expect((await policies(bearer('viewer'))).status).toBe(429)
    expect((await policies(bearer('operator'))).status).toBe(200)
    const wrong = { authorization: 'Bearer guessed' }
    expect((await policies(wrong)).status).toBe(401)
    expect((await policies({})).status).toBe(401)
    expect((await policies(wrong)).status).toBe(429)
    // Nothing is told about a token that comes after too many that were wrong.
    expect((await policies(bearer('operator'))).status).toBe(429)
  })

  test('that is used up writes no line of the log', async () => {
    await limited({ challenges: 1 })
    for (let n = 0; n < 5; n++) await challenges()
    expect(service.journal.filter(({ event }) => event === 'request.refused')).toEqual([])
  })
})

describe('room', () => {
  const port = () => Number(new URL(service.url).port)
  const noRoom = { mostInFlight: 1, mostWaiting: 0, mostLoopDelayMs: 10_000 }
  const head = (length: number) =>
    `POST /v1/appraisals HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`

  test('is not held by whoever sends slowly', async () => {
    service = await runService({ guard: { admission: noRoom } })
    const slow = Array.from({ length: 20 }, () => {
      const socket = connect(port(), '127.0.0.1')
      socket.write(`${head(100)}{`)
      return socket
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect((await attestAt(service)).status).toBe(200)
    for (const socket of slow) socket.destroy()
  })

  test('ends for attestations, and never for operators, health and keys', async () => {
    service = await runService({ guard: { admission: noRoom } })
    // A store that keeps the one that is at work waiting.
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const { store } = service.verifier
    const record = store.recordAttestation
    const reached = new Promise<void>((resolve) => {
      Object.assign(store, {
        recordAttestation: async (each: Parameters<typeof record>[0]) => {
          resolve()
          await held
          return await record(each)
        },
      })
    })
    const first = attestAt(service)
    await reached
    const refused = await post(`${service.url}/v1/appraisals`, '{}')
    expect([refused.status, refused.json.code]).toEqual([503, 'overloaded'])
    // Before the body is there: who waited for it would not answer this one.
    const early = await rawRequest(service.url, (socket) => {
      socket.write(head(100))
      socket.once('data', () => socket.end())
    })
    expect(early.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await get(`${service.url}/readyz`)).status).toBe(200)
    expect((await get(`${service.url}/.well-known/jwks.json`)).status).toBe(200)
    expect((await get(`${service.url}/v1/policies`, bearer('viewer'))).status).toBe(200)
    release()
    expect((await first).status).toBe(200)
    expect((await post(`${service.url}/v1/appraisals`, '{}')).status).toBe(400)
  })

  test('for connections ends at a number', async () => {
    service = await runService({ guard: { mostConnections: 2 } })
    const opened: Socket[] = []
    const open = (localAddress: string) =>
      new Promise<string>((resolve) => {
        const socket = connect({ port: port(), host: '127.0.0.1', localAddress })
        opened.push(socket)
        socket.once('close', () => resolve('closed'))
        socket.once('error', () => resolve('closed'))
        setTimeout(() => resolve('open'), 100)
      })
    // From one address alone a second would be beyond its share.
    const all = ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map(open)
    expect((await Promise.all(all)).toSorted()).toEqual(['closed', 'open', 'open'])
    for (const socket of opened) socket.destroy()
  })
})

describe('an identity provider', () => {
  test('names operators by its tokens, and 503 is said where it cannot be asked', async () => {
    service = await runService({
      identityProvider: {
        async operatorOf(token) {
          if (token === 'down') throw new Problem('identity-provider-unavailable', 'silent')
          return token === 'good' ? { name: 'oidc:zoe', roles: ['viewer'] } : undefined
        },
      },
    })
    const as = (token: string) =>
      get(`${service.url}/v1/policies`, { authorization: `Bearer ${token}` })
    expect((await as('good')).status).toBe(200)
    expect((await as('bad')).status).toBe(401)
    const down = await as('down')
    expect([down.status, down.json.code]).toEqual([503, 'identity-provider-unavailable'])
    expect((await get(`${service.url}/v1/policies`, bearer('viewer'))).status).toBe(200)
    // Who explains a refusal is asked too, and a provider that is down keeps no agent from its token.
    const attested = await attestAt(service, { headers: { authorization: 'Bearer down' } })
    expect(attested.status).toBe(200)
  })
})

const everyAnswer = [
  ['GET', '/healthz'],
  ['HEAD', '/healthz'],
  ['GET', '/nowhere'],
  ['PUT', '/v1/challenges'],
  ['POST', '/v1/challenges'],
  ['TRACE', '/v1/challenges'],
  ['PROPFIND', '/v1/challenges'],
] as const

test('every answer says what a browser must not do with it, and which request it was', async () => {
  await limited({})
  for (const [method, path] of everyAnswer) {
    const { status, headers, body } = await answerTo(method, path)
    expect(headers['x-request-id'], `${method} ${path}`).toMatch(/^[A-Za-z0-9_-]{16}$/)
    expect(headers).toMatchObject({
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    if (status === 200) continue
    expect(headers['content-type']).toBe('application/problem+json')
    expect(problemSchema.parse(JSON.parse(body)).requestId).toBe(headers['x-request-id'])
  }
})

interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

/** Any method, which fetch would not send. */
async function answerTo(method: string, path: string): Promise<RawAnswer> {
  return await new Promise((resolve, reject) => {
    const asked = ask(`${service.url}${path}`, { method }, (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}
