/** Does jose accept discovery, key set and tokens as they are, and refuse each form where another is expected? */
import {
  compactVerify,
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  importJWK,
  jwtVerify,
} from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AT } from '../http/running-service.ts'
import { audiences, ISSUER, type Issuing, issuing, oneOf, type Read, SUBJECT } from './issuing.ts'

let from: Issuing
let keys: ReturnType<typeof createRemoteJWKSet>
const read: Record<string, Read> = {}

beforeAll(async () => {
  from = await issuing()
  const { jwks_uri } = (await from.json(`${ISSUER}/.well-known/openid-configuration`)) as {
    jwks_uri: string
  }
  keys = createRemoteJWKSet(new URL(jwks_uri), { [customFetch]: from.fetch })
  for (const audience of Object.values(audiences)) read[audience] = await oneOf(from, audience)
}, 30_000)
afterAll(() => from.close())

const tokenFor = (form: keyof typeof audiences) => read[audiences[form]]?.token ?? 'none'
const expected = {
  possession: { typ: 'at+jwt', algorithms: ['ES256'], audience: audiences.possession },
  federation: { typ: 'JWT', algorithms: ['RS256'], audience: audiences.federation },
}

describe.each(['possession', 'federation'] as const)('a token of form %s', (form) => {
  const options = { issuer: ISSUER, currentDate: AT, ...expected[form] }

  test('verifies under the keys that discovery leads to', async () => {
    const { payload } = await jwtVerify(tokenFor(form), keys, {
      ...options,
      subject: SUBJECT,
      requiredClaims: ['iat', 'nbf', 'exp', 'jti', 'cnf', 'status'],
      maxTokenAge: '15m',
    })
    expect(payload.ear_status).toBe('affirming')
  })

  test.each([
    ['another audience', { audience: 'elsewhere' }],
    ['another issuer', { issuer: `${ISSUER}/simulated` }],
    ['a second before it is good', { currentDate: new Date(AT.getTime() - 1000) }],
    ['when it has ended', { currentDate: new Date(AT.getTime() + 900_000) }],
  ])('is refused for %s', async (_, change) => {
    await expect(jwtVerify(tokenFor(form), keys, { ...options, ...change })).rejects.toThrow()
  })

  test.each((['possession', 'federation'] as const).filter((other) => other !== form))(
    'is refused where %s is expected, even for its own audience',
    async (other) => {
      const { typ, algorithms } = expected[other]
      await expect(jwtVerify(tokenFor(form), keys, { ...options, typ })).rejects.toThrow('typ')
      await expect(jwtVerify(tokenFor(form), keys, { ...options, algorithms })).rejects.toThrow(
        'alg',
      )
    },
  )
})

describe('a workload token', () => {
  test('verifies under the key of the SPIFFE bundle', async () => {
    const { header, token } = await oneOf(from, audiences.workload)
    const { keys: bundle } = (await from.json(`${ISSUER}/.well-known/spiffe-bundle`)) as {
      keys: { kid: string; kty: string }[]
    }
    const key = bundle.find(({ kid }) => kid === header.kid)
    const imported = await importJWK(key ?? { kty: 'none' }, 'ES256')
    const { protectedHeader } = await compactVerify(token, imported, { algorithms: ['ES256'] })
    expect(protectedHeader.typ).toBe('wit+jwt')
  })

  test('finds no key in the set of an OpenID provider', async () => {
    await expect(jwtVerify(tokenFor('workload'), keys)).rejects.toThrow('no applicable key')
  })
})

test('a form’s key signs no other form, and the key set has those of two, beside that of envelopes', async () => {
  const kids = Object.values(read).map(({ header }) => header.kid)
  expect(new Set(kids).size).toBe(3)
  const set = createLocalJWKSet((await from.json(`${ISSUER}/.well-known/jwks.json`)) as never)
  expect(set.jwks()?.keys.map(({ use }) => use)).toEqual(['sig', 'sig', 'vouchsafe-release'])
})
