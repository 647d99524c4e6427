/** Operators known by an identity provider: a real issuer on loopback, with keys that change and outages. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { oidcOperators } from '#src/adapters/oidc-operators.ts'
import type { IdentityProvider } from '#src/service/operators.ts'

const AT = new Date('2026-06-01T00:00:00Z')
const now = AT.getTime() / 1000

const rsa = await generateKeyPair('RS256', { extractable: true })
const ec = await generateKeyPair('ES256', { extractable: true })
const stranger = await generateKeyPair('ES256', { extractable: true })

interface Answer {
  readonly status?: number
  readonly body?: unknown
}

let server: Server
let issuer: string
let asked: string[]
/** By path; what is not here is as it should be. */
let answers: Record<string, Answer>

beforeAll(async () => {
  const keys = [
    { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', alg: 'RS256', use: 'sig' },
    { ...(await exportJWK(ec.publicKey)), kid: 'ec', alg: 'ES256', use: 'sig' },
  ]
  server = createServer(({ url = '' }, response) => {
    asked.push(url)
    const usual: Record<string, unknown> = {
      '/realm/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/keys` },
      '/realm/keys': { keys },
    }
    const { status = 200, body = usual[url] } = answers[url] ?? {}
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(status === 302 && { location: `${issuer}/keys` }),
    })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realm`
})
afterAll(() => void server.close())
beforeEach(() => {
  asked = []
  answers = {}
})

function provider(change: { readonly roleClaim?: string } = {}): IdentityProvider {
  const roles = new Map([
    ['sre', 'operator'],
    ['audit', 'auditor'],
    ['viewer', 'viewer'],
  ] as const)
  return oidcOperators({ issuer, audience: 'vouchsafe', roleClaim: 'roles', roles, ...change })
}

interface Made {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: { readonly alg?: string; readonly kid?: string; readonly typ?: string }
  readonly key?: CryptoKey | Uint8Array
}

async function token({ claims = {}, header = {}, key = ec.privateKey }: Made = {}) {
  const payload = {
    iss: issuer,
    aud: 'vouchsafe',
    sub: 'zoe',
    iat: now - 10,
    exp: now + 300,
    roles: ['sre'],
    ...claims,
  } as JWTPayload
  return await new SignJWT(payload)
    .setProtectedHeader({ alg: 'ES256', kid: 'ec', typ: 'at+jwt', ...header })
    .sign(key)
}

describe('a token of the provider', () => {
  test.each<[string, Made, unknown]>([
    [
      'names its subject and role',
      {},
      { name: 'oidc:zoe', roles: ['operator'], until: new Date((now + 310) * 1000) },
    ],
    [
      'may have several roles, and values that are none',
      { claims: { roles: ['everybody', 'audit', 'sre', 'sre'] } },
      { name: 'oidc:zoe', roles: ['auditor', 'operator'] },
    ],
    ['may name its role in a text', { claims: { roles: 'x audit' } }, { roles: ['auditor'] }],
    ['may be signed with RSA', { header: { alg: 'RS256', kid: 'rsa' }, key: rsa.privateKey }, {}],
    ['may be of the old type', { header: { typ: 'JWT' } }, {}],
    ['may be for several', { claims: { aud: ['other', 'vouchsafe'] } }, {}],
    ['may be ten seconds over', { claims: { exp: now - 5 } }, {}],
    [
      'cannot look like a line of the file, or like somebody’s instance',
      { claims: { sub: 'auth0|zoe/b:c' } },
      { name: 'oidc:auth0%7Czoe%2Fb%3Ac' },
    ],
  ])('%s', async (_, made, expected) => {
    const operator = await provider().operatorOf(await token(made), AT)
    expect(operator).toMatchObject(expected as object)
  })

  test.each(['realm_access.roles', 'https://example.com/roles'])(
    'may keep roles under %s',
    async (roleClaim) => {
      const claims = { realm_access: { roles: ['audit'] }, 'https://example.com/roles': ['audit'] }
      const operator = await provider({ roleClaim }).operatorOf(await token({ claims }), AT)
      expect(operator?.roles).toEqual(['auditor'])
    },
  )
})

describe('nobody is named by', () => {
  test.each<[string, Made]>([
    ['another audience', { claims: { aud: 'other' } }],
    ['no audience', { claims: { aud: undefined } }],
    ['another issuer', { claims: { iss: 'https://other.example' } }],
    ['an issuer with a slash more', { claims: { iss: 'SLASH' } }],
    ['a token that is over', { claims: { exp: now - 11 } }],
    ['a token that never ends', { claims: { exp: undefined } }],
    ['a token of tomorrow', { claims: { nbf: now + 3600 } }],
    ['no subject', { claims: { sub: undefined } }],
    ['a subject with a line end', { claims: { sub: 'zoe\nroot' } }],
    ['a subject of 256 characters', { claims: { sub: 'z'.repeat(256) } }],
    ['no role', { claims: { roles: undefined } }],
    ['roles that are none of ours', { claims: { roles: ['admin', 'Operator', ''] } }],
    ['roles that are no texts', { claims: { roles: { operator: true } } }],
    ['a role of every object', { claims: { roles: ['constructor', '__proto__'] } }],
    ['another type of token', { header: { typ: 'logout+jwt' } }],
    ['a proof of possession', { header: { typ: 'dpop+jwt' } }],
    ['a key of somebody else', { key: stranger.privateKey }],
    ['a key that the provider has not', { header: { kid: 'other' } }],
    ['a symmetric key', { header: { alg: 'HS256' }, key: new Uint8Array(32) }],
  ])('%s', async (_, made) => {
    const iss = made.claims?.iss === 'SLASH' ? `${issuer}/` : made.claims?.iss
    const claims = { ...made.claims, ...(iss !== undefined && { iss }) }
    expect(await provider().operatorOf(await token({ ...made, claims }), AT)).toBeUndefined()
  })

  test('no signature', async () => {
    const [, payload] = (await token()).split('.')
    const header = Buffer.from('{"alg":"none"}').toString('base64url')
    expect(await provider().operatorOf(`${header}.${payload}.`, AT)).toBeUndefined()
  })

  test.each(['', 'a', 'a.b', 'a.b.c', '....', 'e30.e30.e30'])('%j', async (text) =>
    expect(await provider().operatorOf(text, AT)).toBeUndefined(),
  )
})

describe('the provider', () => {
  const discovery = '/realm/.well-known/openid-configuration'

  test('is asked once for many tokens, and not at all for a stranger’s', async () => {
    const { operatorOf } = provider()
    await operatorOf(await token({ claims: { iss: 'https://other.example' } }), AT)
    expect(asked).toEqual([])
    for (let n = 0; n < 3; n++) await operatorOf(await token(), AT)
    for (let n = 0; n < 3; n++) await operatorOf(await token({ header: { kid: `made-${n}` } }), AT)
    expect(asked).toEqual([discovery, '/realm/keys'])
  })

  test.each<[string, Record<string, Answer>]>([
    ['is down', { [discovery]: { status: 500 } }],
    ['has lost its keys', { '/realm/keys': { status: 404, body: '{}' } }],
    ['sends something else', { '/realm/keys': { body: '<html>' } }],
    ['sends no keys', { '/realm/keys': { body: { keys: 1 } } }],
    ['sends too much', { '/realm/keys': { body: JSON.stringify({ x: 'y'.repeat(300_000) }) } }],
    ['is another issuer', { [discovery]: { body: { issuer: 'https://other.example' } } }],
    ['redirects', { [discovery]: { status: 302 } }],
    ['names keys that anybody can change on the way', { [discovery]: { body: 'REMOTE' } }],
  ])('that %s makes nobody an operator: 503', async (_, wrong) => {
    const { body } = wrong[discovery] ?? {}
    answers =
      body === 'REMOTE'
        ? { [discovery]: { body: { issuer, jwks_uri: 'http://keys.example/keys' } } }
        : wrong
    await expect(provider().operatorOf(await token(), AT)).rejects.toMatchObject({
      code: 'identity-provider-unavailable',
      retryAfterSeconds: 5,
    })
  })

  test('that is silent is not asked again at once', async () => {
    answers = { [discovery]: { status: 500 } }
    const { operatorOf } = provider()
    for (let n = 0; n < 3; n++)
      await expect(operatorOf(await token(), AT)).rejects.toMatchObject({
        code: 'identity-provider-unavailable',
      })
    expect(asked).toEqual([discovery])
  })

  test('that is silent is still believed in what it said before', async () => {
    const { operatorOf } = provider()
    await operatorOf(await token(), AT)
    answers = { [discovery]: { status: 500 }, '/realm/keys': { status: 500 } }
    // Its keys are fresh for ten minutes, and a made-up key id is looked for once in half a minute.
    await operatorOf(await token({ header: { kid: 'made' } }), AT)
    expect((await operatorOf(await token(), AT))?.name).toBe('oidc:zoe')
  })
})
