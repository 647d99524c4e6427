/** What does the endpoint answer a program that may ask, and what does it refuse before it reads? */
import { connect } from 'node:net'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { refusal } from '../enclave/faulty-network.ts'
import { put, SECRET } from '../enclave/release-scene.ts'
import { sessionAt, watchedManifest } from '../enclave/session-scene.ts'
import { measurementOf } from '../enclave/told-collector.ts'
import { AT, policyOf, type RunningService, runService } from '../http/running-service.ts'
import { type EndpointScene, endpointOver } from './endpoint-scene.ts'

let service: RunningService
beforeAll(async () => {
  service = await runService()
  service.policy.current = await policyOf(watchedManifest(undefined, forService))
  await put(service, 'secret:db-ro', SECRET)
})
afterAll(() => service.close())
beforeEach(() => {
  service.clock.at = AT
})

/** The service's own audience, with a secret, and a relying party's. */
const forService = (text: string) =>
  text.replace(
    'kms.example\n      ttl: 240s',
    `${service.url}\n      ttl: 240s\n      scopes: ["secret:db-ro"]\n    - audience: kms.example\n      ttl: 60s`,
  )

async function scene() {
  const watched = await sessionAt(service, {
    audience: service.url,
    otherAudiences: ['kms.example'],
  })
  return { ...watched, ...(await endpointOver(watched.session)) }
}

describe('a program that may ask', () => {
  test('hears how its session stands', async () => {
    const { ask, session } = await scene()
    expect(await ask('GET', '/v1/session')).toMatchObject({
      status: 200,
      json: { id: session.latest()?.answer.id, state: 'ACTIVE', seq: 0, heardSecondsAgo: 0 },
    })
  })

  test('gets the token for an audience, and none for one that was not named', async () => {
    const { ask } = await scene()
    const { json } = await ask('GET', '/v1/tokens?audience=kms.example')
    expect(decodeJwt(json.token)).toMatchObject({ aud: 'kms.example' })
    expect(decodeJwt((await ask('GET', '/v1/tokens')).json.token).aud).toBe(service.url)
    expect(await ask('GET', '/v1/tokens?audience=other.example')).toMatchObject({
      status: 404,
      json: { code: 'audience-unknown', next: expect.stringContaining('--audience') },
    })
  })

  test('gets the headers of one request, and others for the next', async () => {
    const { ask } = await scene()
    const json = {
      method: 'PUT',
      url: 'https://kms.example/v1/keys?page=2#top',
      bodySha256: 'A'.repeat(43),
      audience: 'kms.example',
    }
    const [one, other] = await Promise.all([
      ask('POST', '/v1/proofs', { json }),
      ask('POST', '/v1/proofs', { json }),
    ])
    const { authorization, dpop } = one.json.headers
    expect(decodeJwt(authorization.replace('DPoP ', ''))).toMatchObject({ aud: 'kms.example' })
    expect(decodeJwt(dpop)).toMatchObject({
      ...{ htm: 'PUT', htu: 'https://kms.example/v1/keys', bodySha256: json.bodySha256 },
      iat: AT.getTime() / 1000,
    })
    expect(other.json.headers.dpop).not.toBe(dpop)
  })

  test('gets a secret, keeps the right to it, and gives it back', async () => {
    const { ask, pass, network } = await scene()
    const { status, json } = await ask('POST', '/v1/releases', {
      json: { resource: 'secret:db-ro' },
    })
    expect(status).toBe(200)
    expect(Buffer.from(json.secret, 'base64').toString()).toBe(SECRET)
    expect(json).toMatchObject({ resource: 'secret:db-ro', version: 1, leaseSeconds: 59 })
    const path = `/v1/releases/${json.release}`
    await pass(45_000)
    expect(network.asked.some((each) => each.endsWith('/renewals'))).toBe(true)
    expect((await ask('GET', path)).json).toMatchObject({ state: 'held', version: 1 })
    expect((await ask('DELETE', path)).json).toMatchObject({ state: 'closed' })
    expect((await ask('GET', path)).json).toMatchObject({ code: 'release-unknown' })
  })

  test('hears at once that a secret may not be used any more', async () => {
    const { ask, pass, collector } = await scene()
    const { json } = await ask('POST', '/v1/releases', { json: { resource: 'secret:db-ro' } })
    const ended = ask('GET', `/v1/releases/${json.release}?wait=60`)
    collector.happened({ measurement: measurementOf('injected') })
    await pass(10_000)
    expect((await ended).json).toMatchObject({ state: 'refused' })
    expect(await ask('GET', '/v1/tokens')).toMatchObject({
      status: 410,
      json: { code: 'session-over', state: 'QUARANTINED' },
    })
  })

  test('says what its models cost, and which of its files it wrote', async () => {
    const { ask, collector } = await scene()
    await ask('POST', '/v1/usage', { json: { modelTokens: 812, modelMicroUsd: 2436 } })
    await ask('POST', '/v1/state', { json: { path: '/srv/agent/prompt.md' } })
    expect(collector.spendings).toEqual([{ tokens: 812, microUsd: 2436 }])
    expect(collector.states).toEqual(['/srv/agent/prompt.md'])
  })

  test('hears the service’s own refusal, with what to do', async () => {
    const { ask, network } = await scene()
    network.next(/releases$/, refusal(403, 'release-refused'))
    expect(await ask('POST', '/v1/releases', { json: { resource: 'secret:other' } })).toMatchObject(
      {
        status: 403,
        json: { code: 'release-refused', next: 'wait' },
      },
    )
  })
})

describe('what is refused', () => {
  let endpoint: EndpointScene
  const over = async () =>
    await endpointOver({ tokens: async () => Promise.reject(Error('x')) } as never)

  test.each<[string, string, string, object, number, string]>([
    [
      'a browser',
      'GET',
      '/v1/session',
      { headers: { origin: 'https://evil.example' } },
      403,
      'browser-refused',
    ],
    [
      'a browser that hides',
      'GET',
      '/v1/session',
      { headers: { 'sec-fetch-mode': 'no-cors' } },
      403,
      'browser-refused',
    ],
    [
      'a name that can be rebound',
      'GET',
      '/v1/session',
      { headers: { host: 'evil.example' } },
      421,
      'host-other',
    ],
    ['another route', 'GET', '/v1/keys', {}, 404, 'route-unknown'],
    ['another method', 'PUT', '/v1/session', {}, 404, 'route-unknown'],
    ['a path that climbs', 'GET', '/v1/releases/..%2fsession', {}, 404, 'route-unknown'],
    [
      'a form',
      'POST',
      '/v1/usage',
      { body: 'a=b', headers: { 'content-type': 'text/plain' } },
      415,
      'body-type-other',
    ],
    ['what is no JSON', 'POST', '/v1/usage', { body: '{' }, 400, 'body-invalid'],
    [
      'what is too large',
      'POST',
      '/v1/usage',
      { body: `"${'x'.repeat(70_000)}"` },
      413,
      'body-too-large',
    ],
    [
      'a field that nobody knows',
      'POST',
      '/v1/usage',
      { json: { modelToken: 1 } },
      400,
      'body-invalid',
    ],
    ['costs that fall', 'POST', '/v1/usage', { json: { modelTokens: -1 } }, 400, 'body-invalid'],
    [
      'a path that is not absolute',
      'POST',
      '/v1/state',
      { json: { path: 'a' } },
      400,
      'body-invalid',
    ],
    [
      'a method that is none',
      'POST',
      '/v1/proofs',
      { json: { method: 'GET\r\n', url: 'https://a' } },
      400,
      'body-invalid',
    ],
    ['an audience of two', 'GET', '/v1/tokens?audience=', {}, 400, 'query-invalid'],
    [
      'usage of an agent that is not watched',
      'POST',
      '/v1/usage',
      { json: {} },
      409,
      'not-watched',
    ],
    ['a fault of ours, without its words', 'GET', '/v1/tokens', {}, 500, 'internal-error'],
  ])('%s', async (_, method, path, sent, status, code) => {
    endpoint = await over()
    const answer = await endpoint.ask(method, path, sent)
    expect([answer.status, answer.json.code]).toEqual([status, code])
    expect(JSON.stringify(answer.json)).not.toContain('Error')
  })

  test('a second request on a connection that was refused: none is read', async () => {
    endpoint = await over()
    const socket = connect(endpoint.path)
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    const refused = 'GET /v1/session HTTP/1.1\r\nHost: evil.example\r\n\r\n'
    socket.write(refused + refused.replace('evil.example', 'vouchsafe'))
    await new Promise((resolve) => socket.on('close', resolve))
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1)
  })

  test('two requests on one connection are answered, and it was asked about once', async () => {
    endpoint = await over()
    const socket = connect(endpoint.path)
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    const asked = 'GET /v1/session HTTP/1.1\r\nHost: vouchsafe\r\n\r\n'
    socket.write(asked)
    await expect.poll(() => text.match(/"state":"NONE"/g)?.length).toBe(1)
    socket.write(asked)
    await expect.poll(() => text.match(/"state":"NONE"/g)?.length).toBe(2)
    socket.destroy()
    expect(endpoint.asked.map(({ peer }) => peer.pid)).toEqual([process.pid, process.pid])
  })
})
