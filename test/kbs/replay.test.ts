/** A handshake is answered once: whatever comes again, late, or by whoever stole a cookie or token, buys nothing. */
import { generateKeyPairSync } from 'node:crypto'
import { SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { AT, type RunningService } from '../http/running-service.ts'
import { brokerService, PATH, SECRET } from './broker-scene.ts'
import { StockClient } from './stock-client.ts'

let service: RunningService
beforeAll(async () => {
  service = await brokerService()
})
afterEach(() => {
  service.clock.at = AT
})
afterAll(async () => {
  await service.close()
})

const client = () => new StockClient({ url: service.url })
const unauthorised = (detail: RegExp, variant = 'AttestationError') => ({
  status: 401,
  json: {
    type: `https://github.com/confidential-containers/kbs/errors/${variant}`,
    detail: expect.stringMatching(detail),
  },
})

test('an attestation that is posted again is refused, and never answered with the token of the first', async () => {
  const agent = client()
  const { json } = await agent.auth()
  const body = agent.answerTo(json.nonce)
  expect((await agent.attest(body)).status).toBe(200)
  expect(await agent.attest(body)).toMatchObject(unauthorised(/attested before/))
  const forged = body.replace('"svn":"1"', '"svn":"9"')
  expect(forged).not.toBe(body)
  expect(await agent.attest(forged)).toMatchObject(unauthorised(/attested before/))
  expect(await agent.secret(PATH)).toBe(SECRET)
})

test('a nonce is spent by evidence that is refused too', async () => {
  const agent = client()
  const { json } = await agent.auth()
  const body = agent.answerTo(json.nonce)
  expect(await agent.attest(body.replace('"svn":"1"', '"svn":"9"'))).toMatchObject(
    unauthorised(/sample\.svn/),
  )
  expect(await agent.attest(body)).toMatchObject(unauthorised(/used before/))
})

test('of two answers at once, one is judged', async () => {
  const agent = client()
  const { json } = await agent.auth()
  const body = agent.answerTo(json.nonce)
  const answers = await Promise.all(Array.from({ length: 8 }, () => agent.attest(body)))
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(7).fill(401)])
})

test('a nonce that is not this handshake’s spends nothing', async () => {
  const agent = client()
  const { json } = await agent.auth()
  const other = await client().auth()
  expect(await agent.attest(agent.answerTo(other.json.nonce))).toMatchObject(
    unauthorised(/not the nonce of this handshake/),
  )
  expect((await agent.attest(agent.answerTo(json.nonce))).status).toBe(200)
})

test.each([
  ['no cookie', undefined],
  ['a cookie that was never given out', `kbs-session-id=${'0'.repeat(32)}`],
  ['a cookie of another form', "kbs-session-id=' or 1=1"],
  ['two of them', `kbs-session-id=${'0'.repeat(32)}; kbs-session-id=${'1'.repeat(32)}`],
])('with %s nothing is attested and nothing is had', async (_, cookie) => {
  const agent = client()
  const { json } = await agent.auth()
  agent.cookie = cookie
  expect(await agent.attest(agent.answerTo(json.nonce))).toMatchObject(unauthorised(/handshake/))
  expect(await agent.resource(PATH)).toMatchObject(
    unauthorised(/handshake|cookie/, 'TokenNotFound'),
  )
})

test('a handshake that is not attested yields no resource, so that the client attests anew', async () => {
  const agent = client()
  await agent.auth()
  expect(await agent.resource(PATH)).toMatchObject(unauthorised(/attested/, 'TokenNotFound'))
})

test('a new handshake takes a new cookie, whichever the client still has', async () => {
  const agent = client()
  await agent.handshake()
  const before = agent.cookie
  await agent.auth()
  expect(agent.cookie).not.toBe(before)
})

test('evidence that comes five minutes late is refused', async () => {
  const agent = client()
  const { json } = await agent.auth()
  service.clock.at = new Date(AT.getTime() + 300_000)
  expect(await agent.attest(agent.answerTo(json.nonce))).toMatchObject(unauthorised(/over/))
})

test('cookie and token end when the release’s rule says that a token ends', async () => {
  const agent = client()
  await agent.handshake()
  service.clock.at = new Date(AT.getTime() + 239_000)
  expect(await agent.secret(PATH)).toBe(SECRET)
  expect(await agent.secret(PATH, 'token')).toBe(SECRET)
  service.clock.at = new Date(AT.getTime() + 240_000)
  for (const by of ['cookie', 'token'] as const)
    expect(await agent.resource(PATH, by)).toMatchObject(unauthorised(/over/, 'TokenNotFound'))
})

test('a stolen cookie or token buys a secret that only the attested key opens', async () => {
  const agent = client()
  await agent.handshake()
  const thief = client()
  thief.cookie = agent.cookie
  await expect(thief.secret(PATH)).rejects.toThrow()
  const other = client()
  other.token = agent.token
  await expect(other.secret(PATH, 'token')).rejects.toThrow()
})

test('a token that is changed, or signed by a key that it brings itself, is none', async () => {
  const agent = client()
  await agent.handshake()
  const token = agent.token ?? ''
  const [header = '', payload = '', signature = ''] = token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const said = JSON.parse(Buffer.from(header, 'base64url').toString())
  const own = await new SignJWT(claims)
    .setProtectedHeader({ ...said, jwk: publicKey.export({ format: 'jwk' }) })
    .sign(privateKey)
  const longer = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 60 })).toString(
    'base64url',
  )
  for (const forged of [
    own,
    `${header}.${longer}.${signature}`,
    `${header}.${payload}.`,
    `${header}.${payload}`,
    'x'.repeat(9_000),
  ]) {
    agent.token = forged
    expect(await agent.resource(PATH, 'token')).toMatchObject(
      unauthorised(/token/, 'TokenNotFound'),
    )
  }
})

test('a token of possession is none here, and this token is none of possession', async () => {
  const { agentOf, attester, post } = await import('../http/running-service.ts')
  const { attestOverHttp } = await import('../../enclave/attestation.ts')
  const { identity, keys } = await agentOf(service)
  const { tokens } = await attestOverHttp(identity, {
    service: service.url,
    keys,
    attester: attester(),
  })
  const agent = client()
  agent.token = tokens[0]?.token
  expect(agent.token).toMatch(/^ey/)
  expect(await agent.resource(PATH, 'token')).toMatchObject(unauthorised(/token/, 'TokenNotFound'))

  await agent.handshake()
  const { status, json } = await post(
    `${service.url}/v1/releases`,
    JSON.stringify({ resource: 'secret:demo', encJwk: agent.key.jwk }),
    { authorization: `DPoP ${agent.token}`, dpop: 'e30.e30.e30' },
  )
  expect(status).not.toBe(200)
  expect(JSON.stringify(json)).not.toContain('envelope')
  const { provePossession } = await import('#src/service/possession.ts')
  await expect(
    provePossession(
      service.verifier,
      {
        token: agent.token,
        proof: 'e30.e30.e30',
        method: 'POST',
        url: `${service.url}/v1/releases`,
        audiences: 'any',
      },
      { at: AT },
    ),
  ).rejects.toMatchObject({
    code: 'possession-token-refused',
    detail: expect.stringContaining('not a token of possession'),
  })
})
