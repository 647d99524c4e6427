/** The Key Broker protocol as its stock client speaks it, from the first request to the opened secret. */
import { createHash } from 'node:crypto'
import { FlattenedEncrypt, flattenedDecrypt, importJWK, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AT, get, type RunningService } from '../http/running-service.ts'
import { brokerService, PATH, SECRET } from './broker-scene.ts'
import { clientKey, jcs, type KeyKind, openJwe, StockClient } from './stock-client.ts'

let service: RunningService
beforeAll(async () => {
  service = await brokerService()
})
afterAll(async () => {
  await service.close()
})

test.each<KeyKind>(['P-256', 'P-521', 'RSA'])(
  'the golden transcript replays with a %s key, by cookie and by token',
  async (kind) => {
    const client = new StockClient({ url: service.url, key: clientKey(kind) })
    const auth = await client.auth()
    expect(auth.status).toBe(200)
    expect(Object.keys(auth.json)).toEqual(['nonce', 'extra-params'])
    expect(auth.json['extra-params']).toBe('')
    expect(auth.json.nonce).toMatch(/^[A-Za-z0-9+/]{43}=$/)
    const attested = await client.attest(client.answerTo(auth.json.nonce))
    expect(attested.status, attested.text).toBe(200)
    expect(Object.keys(attested.json)).toEqual(['token'])
    expect(await client.secret(PATH)).toBe(SECRET)
    expect(await client.secret(PATH, 'token')).toBe(SECRET)
  },
)

test('a client whose JSON library keeps the order of members opens the secret as well', async () => {
  const client = new StockClient({ url: service.url })
  await client.handshake()
  const { json } = await client.resource(PATH)
  expect(openJwe(json, client.key, 'as received').toString()).toBe(SECRET)
})

test.each<[KeyKind, RegExp]>([
  [
    'P-256',
    /^\{"alg":"ECDH-ES\+A256KW","enc":"A256GCM","epk":\{"crv":"P-256","kty":"EC","x":"[\w-]{43}","y":"[\w-]{43}"\}\}$/,
  ],
  [
    'P-521',
    /^\{"alg":"ECDH-ES\+A256KW","enc":"A256GCM","epk":\{"crv":"P-521","kty":"EC","x":"[\w-]{88}","y":"[\w-]{88}"\}\}$/,
  ],
  ['RSA', /^\{"alg":"RSA-OAEP-256","enc":"A256GCM"\}$/],
])(
  'the protected header for a %s key has exactly these bytes, and jose opens it',
  async (kind, header) => {
    const client = new StockClient({ url: service.url, key: clientKey(kind) })
    await client.handshake()
    const { json, headers } = await client.resource(PATH)
    expect(headers.get('content-type')).toBe('application/json')
    expect(Object.keys(json)).toEqual(['protected', 'encrypted_key', 'iv', 'ciphertext', 'tag'])
    expect(Buffer.from(json.protected, 'base64url').toString()).toMatch(header)
    const opened = await flattenedDecrypt(json, client.key.privateKey)
    expect(Buffer.from(opened.plaintext).toString()).toBe(SECRET)
  },
)

test('what jose itself would send is not opened by that client, which is why the header is ours', async () => {
  const key = clientKey('P-256')
  const recipient = await importJWK({ ...key.jwk }, 'ECDH-ES+A256KW')
  const made = await new FlattenedEncrypt(Buffer.from('x'))
    .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM' })
    .encrypt(recipient)
  const jwe = { ...made } as unknown as Parameters<typeof openJwe>[0]
  expect(() => openJwe(jwe, key)).toThrow(/unable to authenticate/)
})

test('the canonical JSON is that of the protocol: the vector of its own tests', () => {
  const digest = createHash('sha384')
    .update(jcs({ b: 1, a: 'test', c: { d: 'e' } }))
    .digest('hex')
  expect(digest).toBe(
    'e71ce8e70d814ba6639c3612ebee0ff1f76f650f8dbb5e47157e0f3f525cd22c4597480a186427c813ca941da78870c3',
  )
})

describe('protocol 0.2.0', () => {
  test.each(['sorted', 'as typed'] as const)(
    'a client whose JSON library writes members %s is answered',
    async (ordering) => {
      const client = new StockClient({ url: service.url })
      const { json } = await client.auth({ version: '0.2.0', 'extra-params': '' })
      const attested = await client.attest(client.plainAnswerTo(json.nonce, ordering))
      expect(attested.status, attested.text).toBe(200)
      expect(await client.secret(PATH)).toBe(SECRET)
    },
  )

  test('evidence may come as JSON within a string, as some clients kept it', async () => {
    const client = new StockClient({ url: service.url })
    const { json } = await client.auth({ version: '0.2.0', 'extra-params': '' })
    const body = JSON.parse(client.plainAnswerTo(json.nonce))
    const inner = JSON.stringify(body['tee-evidence'])
    const attested = await client.attest(JSON.stringify({ ...body, 'tee-evidence': inner }))
    expect(attested.status, attested.text).toBe(200)
  })

  test('an answer of one protocol to a handshake of the other is refused', async () => {
    const client = new StockClient({ url: service.url })
    const { json } = await client.auth({ version: '0.2.0', 'extra-params': '' })
    const attested = await client.attest(client.answerTo(json.nonce))
    expect(attested).toMatchObject({
      status: 401,
      json: { detail: expect.stringMatching(/another/) },
    })
  })
})

describe('the beginning', () => {
  test.each([
    ['another version', { version: '0.1.1' }, /0\.4\.0 and 0\.2\.0/],
    ['a TEE that is not judged here', { tee: 'csv' }, /snp, tdx, sample/],
    [
      'only hash algorithms that nobody here knows',
      { 'extra-params': { 'supported-hash-algorithms': ['sm3'] } },
      /sha256, sha384, sha512/,
    ],
  ])('%s is refused in the form that the client reads', async (_, body, detail) => {
    const { status, json } = await new StockClient({ url: service.url }).auth(body)
    expect({ status, json }).toEqual({
      status: 401,
      json: {
        type: 'https://github.com/confidential-containers/kbs/errors/AttestationError',
        detail: expect.stringMatching(detail),
      },
    })
  })

  test.each(['sha512', 'sha256'])(
    'a client that knows %s and not SHA-384 is told to bind by it',
    async (algorithm) => {
      const client = new StockClient({ url: service.url })
      const auth = await client.auth({
        'extra-params': { 'supported-hash-algorithms': [algorithm.toUpperCase()] },
      })
      expect(auth.json['extra-params']).toEqual({ 'selected-hash-algorithm': algorithm })
      const { nonce } = auth.json
      const wrong = await client.attest(client.answerTo(nonce))
      expect(wrong).toMatchObject({
        status: 401,
        json: { detail: expect.stringMatching(/binding\.report-data/) },
      })
      const again = await client.auth({
        'extra-params': { 'supported-hash-algorithms': [algorithm] },
      })
      const attested = await client.attest(client.answerTo(again.json.nonce, { algorithm }))
      expect(attested.status, attested.text).toBe(200)
    },
  )

  test('the cookie is for this protocol alone, out of scripts’ reach, and ends with the handshake', async () => {
    const { headers } = await new StockClient({ url: service.url }).auth()
    const end = new Date(AT.getTime() + 300_000).toUTCString()
    expect(headers.getSetCookie()).toEqual([
      expect.stringMatching(
        new RegExp(
          `^kbs-session-id=[0-9a-f]{32}; Path=/kbs/v0; Expires=${end}; HttpOnly; SameSite=Strict$`,
        ),
      ),
    ])
  })

  test('over TLS the cookie never leaves in clear', async () => {
    const secure = await brokerService({ publicUrl: 'https://attest.example' })
    try {
      const { headers } = await new StockClient({ url: secure.address }).auth()
      expect(headers.getSetCookie()[0]).toMatch(/; Secure$/)
    } finally {
      await secure.close()
    }
  })
})

describe('the token', () => {
  test('says what a stock Key Broker looks for, where it looks for it', async () => {
    const client = new StockClient({ url: service.url })
    await client.handshake()
    const [header, claims] = (client.token ?? '')
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
    expect(header).toMatchObject({
      alg: 'ES256',
      typ: 'vouchsafe-broker+jwt',
      kid: expect.any(String),
      jwk: { kty: 'EC', crv: 'P-256', alg: 'ES256', kid: header.kid },
    })
    const at = Math.floor(AT.getTime() / 1000)
    expect(claims).toMatchObject({
      iss: service.simulated,
      sub: expect.stringMatching(/^simulated:spiffe:/),
      iat: at,
      nbf: at,
      exp: at + 240,
      jti: expect.stringMatching(/^[0-9a-f]{32}$/),
      eat_profile: 'tag:github.com,2023:veraison/ear',
      'ear.verifier-id': { developer: service.simulated, build: 'vouchsafe/test' },
    })
    const { cpu0 } = claims.submods
    expect(cpu0['ear.status']).toBe('contraindicated')
    expect(cpu0['ear.trustworthiness-vector'].hardware).toBe(97)
    expect(cpu0['ear.veraison.annotated-evidence'].runtime_data_claims['tee-pubkey']).toEqual(
      client.key.jwk,
    )
    expect(claims.customized_claims.runtime_data['tee-pubkey']).toEqual(client.key.jwk)
    expect(claims.att_assurance).toBe('simulated')
    for (const submodule of Object.values<Record<string, unknown>>(claims.submods))
      expect(submodule['ear.status']).toBe('contraindicated')
  })

  test('is signed by a key of the published set, whose entry names its algorithm', async () => {
    const client = new StockClient({ url: service.url })
    await client.handshake()
    const { json: jwks } = await get(`${service.simulated}/.well-known/jwks.json`)
    const { kid } = JSON.parse(
      Buffer.from(client.token?.split('.')[0] ?? '', 'base64url').toString(),
    )
    const key = jwks.keys.find((each: { kid: string }) => each.kid === kid)
    expect(key).toMatchObject({ alg: 'ES256' })
    const { protectedHeader } = await jwtVerify(client.token ?? '', await importJWK(key), {
      currentDate: AT,
    })
    expect(protectedHeader.kid).toBe(kid)
  })
})
