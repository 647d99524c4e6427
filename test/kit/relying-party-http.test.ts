/** Who is let through by the kit's middleware, and what do the others learn? Over real HTTP, for Hono and node:http. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { sha256 } from '../../kit/relying-party/base64url.ts'
import { attested } from '../../kit/relying-party/hono.ts'
import { attestedOnly } from '../../kit/relying-party/node.ts'
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

async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  closing.push(() => server.close().closeAllConnections())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const servers = {
  async Hono(options?: Partial<RelyingPartyOptions>) {
    const app = new Hono()
      .use('*', attested(scene.party(options), { publicUrl, decided, mostBodyBytes: 1_000 }))
      .all('*', async (context) =>
        context.json({
          agent: context.get('attested').claims.agent,
          body: await context.req.text(),
        }),
      )
    return await new Promise<string>((resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
        resolve(`http://127.0.0.1:${port}`),
      )
      closing.push(() => server.close())
    })
  },
  async 'node:http'(options?: Partial<RelyingPartyOptions>) {
    const admit = attestedOnly(scene.party(options), { publicUrl, decided, mostBodyBytes: 1_000 })
    return await listening(async (request, response) => {
      const admitted = await admit(request, response)
      if (!admitted) return
      const body = admitted.body ? Buffer.from(admitted.body).toString() : ''
      response.end(JSON.stringify({ agent: admitted.claims.agent, body }))
    })
  },
}

async function proved({
  path = '/v1/unwrap',
  method = 'GET',
  body,
  claims = {},
}: Sent & { readonly claims?: object } = {}): Promise<Record<string, string>> {
  const token = scene.good.possession
  const named = body === undefined ? {} : { bodySha256: await sha256(body) }
  const htu = `${publicUrl}${path}`
  const proof = await scene.proof(token, { claims: { htm: method, htu, ...named, ...claims } })
  return { authorization: `DPoP ${token}`, dpop: proof }
}

describe.each(Object.entries(servers))('behind %s', (_, start) => {
  test('an agent that proves its request is let through, and its body is there', async () => {
    const url = await start()
    const post = { method: 'POST', body: '{"key": "k1"}' }
    expect((await send(url, { headers: await proved() })).status).toBe(200)
    const { status, text } = await send(url, { ...post, headers: await proved(post) })
    expect([status, JSON.parse(text)]).toEqual([200, { agent: 'invoice-bot', body: post.body }])
  })

  test('the query is no part of what is proved, and in no log', async () => {
    const url = await start()
    const { status } = await send(url, { path: '/v1/unwrap?secret=1', headers: await proved() })
    expect(status).toBe(200)
    expect(decisions).toEqual(['GET /v1/unwrap accepted'])
  })

  test.each<[string, number, string, () => Promise<Sent>]>([
    ['nothing', 401, 'token-missing', async () => ({})],
    [
      'a password',
      401,
      'token-malformed',
      async () => ({ headers: { authorization: 'Basic YTpi' } }),
    ],
    [
      'a scheme alone',
      401,
      'token-malformed',
      async () => ({ headers: { authorization: 'DPoP' } }),
    ],
    [
      'two tokens',
      401,
      'token-malformed',
      async () => ({
        headers: { ...(await proved()), 'workload-identity-token': scene.good.workload },
      }),
    ],
    [
      'a bound token as bearer token, its proof beside it',
      401,
      'proof-missing',
      async () => ({
        headers: { ...(await proved()), authorization: `Bearer ${scene.good.possession}` },
      }),
    ],
    [
      'a WIT-SVID without a proof',
      401,
      'proof-malformed',
      async () => ({ headers: { 'workload-identity-token': scene.good.workload } }),
    ],
    [
      'a proof for another method',
      401,
      'proof-method-other',
      async () => ({ method: 'DELETE', headers: await proved() }),
    ],
    [
      'a proof for another path',
      401,
      'proof-address-other',
      async () => ({ path: '/v1/wrap', headers: await proved() }),
    ],
    [
      'a proof for the host that the caller says',
      401,
      'proof-address-other',
      async () => ({
        headers: {
          ...(await proved({ claims: { htu: 'https://evil.example/v1/unwrap' } })),
          host: 'evil.example',
          'x-forwarded-host': 'evil.example',
        },
      }),
    ],
    [
      'a body that nobody proved',
      401,
      'proof-body-other',
      async () => ({ method: 'POST', body: 'x', headers: await proved({ method: 'POST' }) }),
    ],
    [
      'another body than was proved',
      401,
      'proof-body-other',
      async () => ({
        method: 'POST',
        body: 'y',
        headers: await proved({ method: 'POST', body: 'x' }),
      }),
    ],
    [
      'a large body',
      413,
      'body-too-large',
      async () => ({
        method: 'POST',
        body: 'x'.repeat(5_000),
        headers: await proved({ method: 'POST' }),
      }),
    ],
    [
      'two proofs',
      401,
      'proof-malformed',
      async () => {
        const { authorization = '', dpop = '' } = await proved()
        return { headers: { authorization, dpop: [dpop, dpop] } }
      },
    ],
  ])('whoever brings %s gets %i, and no reason', async (__, status, reason, sent) => {
    const answer = await send(await start(), await sent())
    expect([answer.status, decisions.map((line) => line.split(' ').at(-1))]).toEqual([
      status,
      [reason],
    ])
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(Object.keys(JSON.parse(answer.text)).toSorted()).toEqual(['status', 'title', 'type'])
    expect(answer.text).not.toContain(reason)
  })

  test('a challenge says which scheme is wanted, and which part must be another', async () => {
    const url = await start()
    const challenge = async (sent: Sent) => (await send(url, sent)).headers['www-authenticate']
    expect(await challenge({})).toBe('DPoP algs="ES256", Bearer realm="attested"')
    expect(await challenge({ headers: { authorization: 'DPoP x' } })).toContain('"invalid_token"')
    expect(await challenge({ path: '/other', headers: await proved() })).toContain(
      '"invalid_dpop_proof"',
    )
    const only = await start({ accept: ['federation'] })
    expect((await send(only, {})).headers['www-authenticate']).toBe('Bearer realm="attested"')
  })

  test('a good token that says too little is forbidden, and one that nobody can judge comes back later', async () => {
    const url = await start({ required: { scopes: ['secret:root'] } })
    expect((await send(url, { headers: await proved() })).status).toBe(403)
    const down = await start({ fetch: () => Promise.reject(new TypeError('fetch failed')) })
    const { status, headers } = await send(down, { headers: await proved() })
    expect([status, headers['retry-after']]).toEqual([503, '5'])
  })

  test('a bearer token and a WIT-SVID with a proof are let through as well', async () => {
    const url = await start()
    const bearer = { authorization: `Bearer ${scene.good.federation}` }
    expect((await send(url, { headers: bearer })).status).toBe(200)
    const token = scene.good.workload
    const claims = { htm: 'GET', htu: `${publicUrl}/v1/unwrap` }
    const headers = { 'workload-identity-token': token, dpop: await scene.proof(token, { claims }) }
    expect((await send(url, { headers })).status).toBe(200)
  })
})

test('of two Authorization headers, one of which Node would drop, neither counts', async () => {
  const url = await servers['node:http']()
  const { authorization = '', dpop = '' } = await proved()
  const { status } = await send(url, {
    headers: { authorization: [authorization, 'Bearer x'], dpop },
  })
  expect([status, decisions]).toEqual([401, ['GET /v1/unwrap token-malformed']])
})

test('what a path looks like after tidying is not what was proved', async () => {
  const url = await servers['node:http']()
  const path = '/public/../v1/unwrap'
  expect((await send(url, { path, headers: await proved() })).status).toBe(401)
})
