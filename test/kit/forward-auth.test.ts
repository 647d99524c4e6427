/** What does the kit answer a gateway that asks whether a request may pass? */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { sha256 } from '../../kit/relying-party/base64url.ts'
import {
  forwardAuth,
  forwardAuthFetch,
  type GatewayKind,
} from '../../kit/relying-party/forward-auth.ts'
import { forwardAuthListener } from '../../kit/relying-party/node.ts'
import type { RelyingPartyOptions, Verdict } from '../../kit/relying-party/relying-party.ts'
import { outcome, type RelyingScene, relyingScene } from './relying-scene.ts'
import { type Sent, send } from './wire.ts'

const publicUrl = 'https://kms.example'

let scene: RelyingScene
const closing: (() => void)[] = []
const decisions: string[] = []
const decided = (verdict: Verdict, { method, path }: { method: string; path: string }) =>
  decisions.push(`${method} ${path} ${outcome(verdict)}`)

beforeAll(async () => {
  scene = await relyingScene()
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
  decisions.length = 0
})
afterAll(() => scene.close())

async function listening(listener: ReturnType<typeof forwardAuthListener>): Promise<string> {
  const server = createServer(listener)
  closing.push(() => server.close().closeAllConnections())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function proved({ path, method, body }: Sent): Promise<Record<string, string>> {
  const token = scene.good.possession
  const named = body === undefined ? {} : { bodySha256: await sha256(body) }
  const claims = { htm: method, htu: `${publicUrl}${path}`, ...named }
  return { authorization: `DPoP ${token}`, dpop: await scene.proof(token, { claims }) }
}

describe('a gateway that asks', () => {
  const original = { method: 'PUT', path: '/v1/unwrap' }

  async function ask(
    gateway: 'nginx' | 'caddy' | 'envoy' | GatewayKind,
    sent: Sent,
    options?: Partial<RelyingPartyOptions>,
  ) {
    const answerTo = forwardAuth(scene.party(options), { gateway, publicUrl, decided })
    return await send(await listening(forwardAuthListener(answerTo)), sent)
  }

  const headersOf = {
    nginx: { 'x-original-method': 'PUT', 'x-original-uri': '/v1/unwrap?x=1' },
    caddy: { 'x-forwarded-method': 'PUT', 'x-forwarded-uri': '/v1/unwrap?x=1' },
  }

  test.each(['nginx', 'caddy'] as const)('as %s does hears who the agent is', async (gateway) => {
    const headers = { ...(await proved(original)), ...headersOf[gateway] }
    const answer = await ask(gateway, { path: '/', headers })
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({
      'x-vouchsafe-subject': 'spiffe://attest.example.com/t/default/env/prod/agent/invoice-bot',
      'x-vouchsafe-tenant': 'default',
      'x-vouchsafe-environment': 'prod',
      'x-vouchsafe-agent': 'invoice-bot',
      'x-vouchsafe-form': 'possession',
      'x-vouchsafe-proved': 'yes',
      'x-vouchsafe-status': 'affirming',
      'x-vouchsafe-assurance': 'hardware',
      'x-vouchsafe-scope': '',
      'x-vouchsafe-key': scene.sig.thumbprint,
      'x-vouchsafe-body-sha256': '',
    })
    expect(decisions).toEqual(['PUT /v1/unwrap accepted'])
  })

  test('as Envoy does is asked with the request’s own method and path', async () => {
    const headers = await proved({ ...original, body: 'x' })
    const answer = await ask('envoy', { method: 'PUT', path: '/authorize/v1/unwrap?x=1', headers })
    expect([answer.status, answer.headers['x-vouchsafe-body-sha256']]).toEqual([
      200,
      await sha256('x'),
    ])
  })

  test.each<[string, 'nginx' | 'caddy' | 'envoy' | GatewayKind, Sent]>([
    ['nginx without its headers', 'nginx', { path: '/v1/unwrap', method: 'PUT' }],
    ['nginx with those of Caddy', 'nginx', { headers: headersOf.caddy }],
    ['Envoy without its prefix', 'envoy', { path: '/v1/unwrap', method: 'PUT' }],
    [
      'Envoy with a prefix that only begins like it',
      'envoy',
      { path: '/authorized/v1/unwrap', method: 'PUT' },
    ],
    [
      'headers of its own',
      { methodHeader: 'x-m', targetHeader: 'x-t' },
      { headers: headersOf.nginx },
    ],
  ])('%s gets no proof accepted', async (_, gateway, sent) => {
    const headers = { ...(await proved(original)), ...sent.headers }
    expect((await ask(gateway, { ...sent, headers })).status).toBe(401)
  })

  test('gets 403 where nobody can tell: some let a request pass at anything else', async () => {
    const headers = { ...(await proved(original)), ...headersOf.nginx }
    const fetch = () => Promise.reject(new TypeError('fetch failed'))
    expect((await ask('nginx', { headers }, { fetch })).status).toBe(403)
    expect(decisions).toEqual(['PUT /v1/unwrap keys-unavailable'])
  })

  test('gets no header that a claim could break', async () => {
    const sub = 'spiffe://a\r\nx-vouchsafe-agent: root'
    const token = await scene.signed('federation', { sub })
    const authorization = `Bearer ${token}`
    expect((await ask('nginx', { headers: { ...headersOf.nginx, authorization } })).status).toBe(
      403,
    )
  })

  test('may be answered by whatever turns a Request into a Response', async () => {
    const answerTo = forwardAuthFetch(scene.party(), { gateway: 'nginx', publicUrl })
    const headers = { ...(await proved(original)), ...headersOf.nginx }
    const answer = await answerTo(new Request('http://127.0.0.1/', { headers }))
    expect([answer.status, answer.headers.get('x-vouchsafe-agent')]).toEqual([200, 'invoice-bot'])
    expect((await answerTo(new Request('http://127.0.0.1/'))).status).toBe(401)
  })
})
