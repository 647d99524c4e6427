/** What does a relying party need that has no library at all? Three requests with fetch, and one signature check of the platform. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { audiences, ISSUER, type Issuing, issuing, oneOf } from './issuing.ts'

let from: Issuing
beforeAll(async () => {
  from = await issuing()
}, 30_000)
afterAll(() => from.close())

const algorithms = {
  ES256: [
    { name: 'ECDSA', namedCurve: 'P-256' },
    { name: 'ECDSA', hash: 'SHA-256' },
  ],
  RS256: [{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, { name: 'RSASSA-PKCS1-v1_5' }],
} as const

test.each(['possession', 'federation'] as const)(
  '%s: discovery, key set, signature',
  async (form) => {
    const { token } = await oneOf(from, audiences[form])
    const [header = '', payload = '', signature = ''] = token.split('.')
    const { iss } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const { alg, kid } = JSON.parse(Buffer.from(header, 'base64url').toString())

    const discovered = await from.fetch(`${iss}/.well-known/openid-configuration`)
    expect(discovered.headers.get('content-type')).toContain('application/json')
    const { issuer, jwks_uri } = (await discovered.json()) as { issuer: string; jwks_uri: string }
    expect(issuer).toBe(iss)

    const published = await from.fetch(jwks_uri)
    expect(published.headers.get('cache-control')).toMatch(/max-age=\d+/)
    const { keys } = (await published.json()) as { keys: Readonly<Record<string, string>>[] }
    const jwk = keys.find((key) => key.kid === kid)
    const [imported, verified] = algorithms[alg as keyof typeof algorithms]
    const key = await crypto.subtle.importKey('jwk', jwk ?? {}, imported, false, ['verify'])
    const good = await crypto.subtle.verify(
      verified,
      key,
      Buffer.from(signature, 'base64url'),
      Buffer.from(`${header}.${payload}`),
    )
    expect(good).toBe(true)
  },
)

test('the issuer for simulated evidence is found in the same way, and is another', async () => {
  expect(await from.json(`${ISSUER}/.well-known/openid-configuration`)).toMatchObject({
    issuer: ISSUER,
  })
  // This tenant takes hardware only.
  expect((await from.fetch(`${ISSUER}/simulated/.well-known/openid-configuration`)).status).toBe(
    404,
  )
})
