/** Tokens as they are signed: jose, which shares no code with the signing, checks every one of them. */
import { constants, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { createLocalJWKSet, decodeProtectedHeader, importJWK, jwtVerify } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { bigEndianFromDer, derFromBigEndian } from '#src/pki/ecdsa-value.ts'
import { discoveryDocument } from '#src/token/discovery.ts'
import { type Issuer, signJwt, signToken } from '#src/token/issuer.ts'
import { jwkSet, spiffeBundle } from '#src/token/jwk-set.ts'
import {
  generateTokenKey,
  importTokenKey,
  type KeyForm,
  signingForms,
  type TokenKey,
} from '#src/token/token-key.ts'

const AT = new Date('2026-06-01T00:00:00Z')
const url = 'https://a.example/t/acme'
const forms = ['possession', 'federation', 'workload'] as const
const keys = new Map<KeyForm, TokenKey>()
let issuer: Issuer

beforeAll(async () => {
  for (const form of [...forms, 'release'] as const)
    keys.set(form, importTokenKey(form, (await generateTokenKey(form)).pkcs8))
  issuer = {
    url,
    assurance: 'hardware',
    forms,
    signer: (form) => keyOf(form),
    published: () => [...keys.values()],
    sequence: () => 7,
  }
})

function keyOf(form: KeyForm): TokenKey {
  const key = keys.get(form)
  if (!key) throw new Error(`no key for ${form}`)
  return key
}

describe.each([
  ['possession', 'ES256', 'at+jwt'],
  ['federation', 'RS256', 'JWT'],
  ['workload', 'ES256', 'wit+jwt'],
] as const)('a token of the form %s', (form, alg, typ) => {
  test(`is ${alg}, of the type ${typ}, and verifies under its own key only`, async () => {
    const claims = { iss: url, sub: 'spiffe://a.example/agent', exp: 1_900_000_000, umlaut: 'ä🔑' }
    const token = await signToken(issuer, { form, claims, at: AT })
    const { payload } = await jwtVerify(token, keyOf(form).publicKey, { typ, algorithms: [alg] })
    expect(payload).toEqual(claims)
    for (const other of forms)
      if (other !== form) await expect(jwtVerify(token, keyOf(other).publicKey)).rejects.toThrow()
  })

  test('has a header of exactly alg, kid and typ', async () => {
    const token = await signToken(issuer, { form, claims: {}, at: AT })
    expect(decodeProtectedHeader(token)).toEqual({ alg, kid: keyOf(form).kid, typ })
  })

  test('names its key by the thumbprint that jose computes of the published one', async () => {
    const { calculateJwkThumbprint } = await import('jose')
    expect(await calculateJwkThumbprint(keyOf(form).jwk)).toBe(keyOf(form).kid)
  })
})

test('a thousand ES256 signatures verify, those with short and with high halves among them', async () => {
  const key = await importJWK({ ...keyOf('possession').jwk }, 'ES256')
  const seen = { short: 0, high: 0 }
  for (let count = 0; count < 1000; count++) {
    const token = await signToken(issuer, { form: 'possession', claims: { count }, at: AT })
    await jwtVerify(token, key)
    const raw = Buffer.from(token.split('.')[2] ?? '', 'base64url')
    expect(raw).toHaveLength(64)
    const heads = [raw[0] ?? 0, raw[32] ?? 0]
    if (heads.includes(0)) seen.short++
    if (heads.some((head) => head >= 0x80)) seen.high++
  }
  // Of 2,000 halves one in 256 begins with a zero octet: that none does has a chance of 4 in 10,000.
  expect(seen.short).toBeGreaterThan(0)
  expect(seen.high).toBeGreaterThan(0)
})

describe('R and S out of DER', () => {
  const octets = (size: number, ...head: number[]) => {
    const value = new Uint8Array(size).fill(0x11)
    value.set(head)
    return value
  }
  test.each([
    ['both in full', octets(32, 0x7f), octets(32, 0x01)],
    ['high bits', octets(32, 0xff), octets(32, 0x80)],
    ['a leading zero', octets(32, 0x00, 0x7f), octets(32, 0xaa)],
    ['a zero before a high bit', octets(32, 0x00, 0xff), octets(32, 0x00, 0x00, 0x80)],
    ['almost nothing', new Uint8Array(32).with(31, 1), new Uint8Array(32).with(31, 0xff)],
  ])('keep their places: %s', (_, r, s) => {
    const raw = bigEndianFromDer(derFromBigEndian(r, s), 32)
    expect([...raw]).toEqual([...r, ...s])
  })

  const good = derFromBigEndian(octets(32, 0xff), octets(32, 0x7f))
  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['one byte less', good.subarray(0, -1)],
    ['one byte more', new Uint8Array([...good, 0])],
    ['no sequence', good.slice().fill(0x31, 0, 1)],
    ['no integer', good.slice().fill(0x03, 2, 3)],
    ['a longer curve', derFromBigEndian(octets(33, 1), octets(33, 1))],
  ])('are not taken from %s', (_, der) =>
    expect(() => bigEndianFromDer(der, 32)).toThrow('not the DER'),
  )
})

test('no key of another kind or size is imported', () => {
  const der = { format: 'der', type: 'pkcs8' } as const
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export(der)
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export(der)
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(der)
  expect(() => importTokenKey('possession', p384)).toThrow('not a P-256 key')
  expect(() => importTokenKey('federation', small)).toThrow('not an RSA key of 2048 bits')
  expect(() => importTokenKey('federation', p256)).toThrow('not an RSA key')
  expect(() => importTokenKey('workload', Buffer.from('nothing'))).toThrow()
})

test('RS256 is PKCS #1 v1.5 over SHA-256, as OpenSSL signs it', async () => {
  const { privateKey, kid } = keyOf('federation')
  const signature = await signingForms.federation.algorithm.sign(Buffer.from('bytes'), privateKey)
  const padding = constants.RSA_PKCS1_PADDING
  expect(Buffer.from(signature)).toEqual(
    sign('sha256', Buffer.from('bytes'), { key: privateKey, padding }),
  )
  expect(kid).toHaveLength(43)
})

describe('the event loop', () => {
  test.each(forms)('is not held up for 5 ms by any signature of the form %s', async (form) => {
    const claims = { filler: 'x'.repeat(2000) }
    const longest: number[] = []
    for (let round = 0; round < 10; round++) {
      const running: Promise<string>[] = []
      let held = 0
      for (let count = 0; count < 20; count++) {
        const before = performance.now()
        running.push(signToken(issuer, { form, claims, at: AT }))
        held = Math.max(held, performance.now() - before)
      }
      longest.push(held)
      await Promise.all(running)
    }
    // The quietest round: whatever is longer than that is other processes, and not the signing.
    expect(Math.min(...longest)).toBeLessThan(5)
  })

  test('goes on while an RSA key is made', async () => {
    let turns = 0
    let isDone = false
    const making = generateTokenKey('federation').finally(() => {
      isDone = true
    })
    while (!isDone) {
      await new Promise((resume) => setImmediate(resume))
      turns++
    }
    await making
    expect(turns).toBeGreaterThan(10)
  })
})

describe('what is published', () => {
  test('as a JWK Set are the keys of tokens that are no WIT-SVIDs, and apart from them those of envelopes', async () => {
    const set = jwkSet(issuer)
    expect(set.keys.map(({ kid, alg, use }) => ({ kid, alg, use }))).toEqual([
      { kid: keyOf('possession').kid, alg: 'ES256', use: 'sig' },
      { kid: keyOf('federation').kid, alg: 'RS256', use: 'sig' },
      { kid: keyOf('release').kid, alg: 'ES256', use: 'vouchsafe-release' },
    ])
    const local = createLocalJWKSet({ keys: set.keys.map((key) => ({ ...key })) })
    for (const form of ['possession', 'federation'] as const)
      await jwtVerify(await signToken(issuer, { form, claims: {}, at: AT }), local)
    const wit = await signToken(issuer, { form: 'workload', claims: {}, at: AT })
    await expect(jwtVerify(wit, local)).rejects.toThrow('no applicable key')
  })

  test.each(['JWT', 'at+jwt', 'vouchsafe-release+jwt'])(
    'makes no relying party take what a key for envelopes signed for a token: %s',
    async (typ) => {
      const keys = jwkSet(issuer).keys.map((key) => ({ ...key }))
      const jwt = await signJwt(keyOf('release'), typ, { iss: url, aud: 'kms', exp: 1_900_000_000 })
      await expect(jwtVerify(jwt, createLocalJWKSet({ keys }))).rejects.toThrow('no applicable key')
    },
  )

  test('as a SPIFFE bundle are the keys of SVIDs, each with its use and nothing unheard of', () => {
    const { n, e } = createPublicKey(
      keyOf('federation').publicKey.export({ format: 'pem', type: 'spki' }),
    ).export({
      format: 'jwk',
    })
    expect(spiffeBundle(issuer)).toEqual({
      keys: [
        { kty: 'RSA', n, e, kid: keyOf('federation').kid, use: 'jwt-svid' },
        { ...keyOf('workload').jwk, kid: keyOf('workload').kid, use: 'wit-svid' },
      ],
      spiffe_sequence: 7,
      spiffe_refresh_hint: 300,
    })
  })

  test('holds nothing private', () => {
    const text = JSON.stringify([jwkSet(issuer), spiffeBundle(issuer)])
    expect(text).not.toMatch(/"(d|p|q|dp|dq|qi|k)":/)
  })

  test('by discovery is what clouds ask for', () => {
    expect(discoveryDocument(issuer)).toMatchObject({
      issuer: url,
      jwks_uri: `${url}/.well-known/jwks.json`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256', 'RS256'],
    })
    expect(
      discoveryDocument({ url, forms: ['possession', 'workload'] })
        .id_token_signing_alg_values_supported,
    ).toEqual(['ES256'])
  })
})
