/** The service's keys over HTTP: what relying parties find, and what operators may do. */
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signToken } from '#src/token/issuer.ts'
import { bearer, get, post, type RunningService, runService } from './running-service.ts'

let service: RunningService
beforeAll(async () => {
  service = await runService()
})
afterAll(() => service.close())

function issuer() {
  const found = service.verifier.tenants.get('default')?.issuers.hardware
  if (!found) throw new Error('no issuer')
  return found
}

const kidsAt = async (path: string): Promise<readonly string[]> => {
  const { json } = await get(`${service.url}${path}`)
  return json.keys.map(({ kid }: { kid: string }) => kid)
}

describe('what relying parties find', () => {
  test.each(['', '/simulated', '/t/acme'])('below %s: discovery, keys and a bundle', async (at) => {
    const base = `${service.url}${at}`
    const discovery = await get(`${base}/.well-known/openid-configuration`)
    expect(discovery.json).toMatchObject({
      issuer: base,
      jwks_uri: `${base}/.well-known/jwks.json`,
      id_token_signing_alg_values_supported: at === '/simulated' ? ['ES256'] : ['ES256', 'RS256'],
    })
    const keys = await get(discovery.json.jwks_uri)
    const published = Map.groupBy<string, { readonly use: string; readonly alg: string }>(
      keys.json.keys,
      ({ use }) => use,
    )
    expect([...published.keys()]).toEqual(['sig', 'vouchsafe-release'])
    expect(published.get('sig')?.map(({ alg }) => alg)).toEqual(
      discovery.json.id_token_signing_alg_values_supported,
    )
    const bundle = await get(`${base}/.well-known/spiffe-bundle`)
    expect(bundle.json.keys.map(({ use }: { use: string }) => use)).toEqual(
      at === '/simulated' ? ['wit-svid'] : ['jwt-svid', 'wit-svid'],
    )
    for (const { headers } of [discovery, keys, bundle]) {
      expect(headers.get('cache-control')).toBe('public, max-age=300')
      expect(headers.get('content-type')).toBe('application/json')
    }
  })

  test('keys of WIT-SVIDs are in the bundle alone, and no issuer has another’s', async () => {
    const wit = issuer().signer('workload', service.clock.at).kid
    expect(await kidsAt('/.well-known/jwks.json')).not.toContain(wit)
    expect(await kidsAt('/.well-known/spiffe-bundle')).toContain(wit)
    const all = await Promise.all(
      ['', '/simulated', '/t/acme'].map((at) => kidsAt(`${at}/.well-known/jwks.json`)),
    )
    expect(new Set(all.flat()).size).toBe(8)
  })
})

describe('operators', () => {
  test.each([
    ['GET', '/v1/keys'],
    ['POST', '/v1/keys/rotate'],
    ['POST', '/v1/keys/revoke'],
  ])('alone may ask %s %s', async (method, path) => {
    const ask = async (headers: Readonly<Record<string, string>>) =>
      method === 'GET'
        ? await get(`${service.url}${path}`, headers)
        : await post(`${service.url}${path}`, '{}', headers)
    expect((await ask({})).status).toBe(401)
    for (const role of ['viewer', 'auditor', 'enforcer'] as const)
      expect((await ask(bearer(role))).json.code).toBe('operator-forbidden')
  })

  test('see every key and nothing secret', async () => {
    const { status, json } = await get(`${service.url}/v1/keys`, bearer('operator'))
    expect(status).toBe(200)
    const purposes = json.keys.map(({ purpose }: { purpose: string }) => purpose)
    expect(purposes).toEqual(purposes.toSorted())
    expect(purposes).toContain('challenge')
    expect(json.keys).toContainEqual({
      kid: issuer().signer('federation', service.clock.at).kid,
      purpose: `federation:${service.url}`,
      algorithm: 'RS256',
      state: 'active',
      createdAt: expect.any(String),
      activeFrom: expect.any(String),
      retiresAt: null,
      revokedAt: null,
      sealedUnder: expect.stringMatching(/^[0-9a-f]{16}$/),
    })
  })

  test('rotate one purpose: the successor is published at once and signs later', async () => {
    const purpose = `possession:${service.url}`
    const before = issuer().signer('possession', service.clock.at).kid
    const ask = async () =>
      await post(
        `${service.url}/v1/keys/rotate`,
        JSON.stringify({ purposes: [purpose] }),
        bearer('operator'),
      )
    const { status, json } = await ask()
    expect(status).toBe(200)
    const [successor] = json.successors
    expect(successor).toMatchObject({ purpose })
    expect(await kidsAt('/.well-known/jwks.json')).toContain(successor.kid)
    expect(issuer().signer('possession', service.clock.at).kid).toBe(before)
    expect(issuer().signer('possession', new Date(successor.activeFrom)).kid).toBe(successor.kid)
    expect((await ask()).json).toEqual(json)
    expect(service.journal).toContainEqual(
      expect.objectContaining({
        event: 'keys.rotated',
        fields: expect.objectContaining({ purpose, by: 'otto' }),
      }),
    )
  })

  test('revoke a key: it is gone from all that is published, and another signs', async () => {
    const at = service.clock.at
    const { kid } = issuer().signer('federation', at)
    const token = await signToken(issuer(), { form: 'federation', claims: {}, at })
    const { status, json } = await post(
      `${service.url}/v1/keys/revoke`,
      JSON.stringify({ kid }),
      bearer('operator'),
    )
    expect(status).toBe(200)
    expect(json).toMatchObject({ kid, replacement: { purpose: `federation:${service.url}` } })
    for (const path of ['/.well-known/jwks.json', '/.well-known/spiffe-bundle'])
      expect(await kidsAt(path)).not.toContain(kid)
    expect(issuer().signer('federation', at).kid).toBe(json.replacement.kid)
    const { json: set } = await get(`${service.url}/.well-known/jwks.json`)
    await expect(jwtVerify(token, createLocalJWKSet(set))).rejects.toThrow('no applicable key')
    const again = await post(
      `${service.url}/v1/keys/revoke`,
      JSON.stringify({ kid }),
      bearer('operator'),
    )
    expect(again.json.code).toBe('key-unknown')
  })

  test.each([
    ['rotate', { purposes: ['possession:https://elsewhere.example'] }, 'key-unknown'],
    ['rotate', { purposes: ['log'] }, 'key-unknown'],
    ['rotate', { purposes: [] }, 'request-malformed'],
    ['rotate', { everything: true }, 'request-malformed'],
    ['revoke', { kid: 'nobody' }, 'key-unknown'],
    ['revoke', { kid: '../x' }, 'request-malformed'],
    ['revoke', {}, 'request-malformed'],
  ])('%s %j is %s', async (verb, body, code) => {
    const path = `${service.url}/v1/keys/${verb}`
    const { json } = await post(path, JSON.stringify(body), bearer('operator'))
    expect(json.code).toBe(code)
  })
})
