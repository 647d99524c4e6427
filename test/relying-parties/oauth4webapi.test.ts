/** Does a stock resource server take a token of possession with an agent's proof (RFC 9068, RFC 9449), and nothing else? */
import { createHash, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import {
  type AuthorizationServer,
  clockSkew,
  customFetch,
  validateJwtAccessToken,
} from 'oauth4webapi'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AT, agentOf } from '../http/running-service.ts'
import { audiences, ISSUER, type Issuing, issuing, oneOf } from './issuing.ts'

let from: Issuing
let server: AuthorizationServer

beforeAll(async () => {
  from = await issuing()
  server = (await from.json(`${ISSUER}/.well-known/openid-configuration`)) as AuthorizationServer
}, 30_000)
afterAll(() => from.close())

const KMS = 'https://kms.example/v1/secrets/db-ro'

async function proof(token: string): Promise<string> {
  const { keys } = await agentOf(from.service)
  return await new SignJWT({
    jti: randomUUID(),
    htm: 'GET',
    htu: KMS,
    ath: createHash('sha256').update(token).digest('base64url'),
  })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: { ...keys.sig.publicKey } })
    .setIssuedAt(AT.getTime() / 1000)
    .sign(keys.sig.privateKey)
}

const validated = (headers: Readonly<Record<string, string>>, audience: string) =>
  validateJwtAccessToken(server, new Request(KMS, { headers }), audience, {
    [customFetch]: from.fetch,
    [clockSkew]: (AT.getTime() - Date.now()) / 1000,
    signingAlgorithms: ['ES256', 'RS256'],
  })

test('a token of possession with its proof is accepted', async () => {
  const { token } = await oneOf(from, audiences.possession)
  const claims = await validated(
    { authorization: `DPoP ${token}`, dpop: await proof(token) },
    audiences.possession,
  )
  expect(claims).toMatchObject({ iss: ISSUER, ear_status: 'affirming' })
})

test('a token of possession is no bearer token', async () => {
  const { token } = await oneOf(from, audiences.possession)
  await expect(
    validated({ authorization: `Bearer ${token}` }, audiences.possession),
  ).rejects.toThrow()
})

test('a federation token is no access token, with a proof or without', async () => {
  const { token } = await oneOf(from, audiences.federation)
  await expect(
    validated({ authorization: `Bearer ${token}` }, audiences.federation),
  ).rejects.toThrow()
  await expect(
    validated({ authorization: `DPoP ${token}`, dpop: await proof(token) }, audiences.federation),
  ).rejects.toThrow()
})
