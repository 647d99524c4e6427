/**
 * Does openid-client find what it looks for by discovery, and can an agent that uses it present its token with a DPoP proof
 * of that library's own making?
 */
import { importJWK } from 'jose'
import {
  type Configuration,
  clockSkew,
  customFetch,
  discovery,
  fetchProtectedResource,
  getDPoPHandle,
} from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AT, agentOf } from '../http/running-service.ts'
import { audiences, ISSUER, type Issuing, issuing, oneOf, SUBJECT } from './issuing.ts'

let from: Issuing
let configuration: Configuration

beforeAll(async () => {
  from = await issuing()
  configuration = await discovery(
    new URL(ISSUER),
    SUBJECT,
    // The service's clock stands still in June.
    { [clockSkew]: (AT.getTime() - Date.now()) / 1000 },
    undefined,
    { [customFetch]: from.fetch, algorithm: 'oidc' },
  )
  configuration[customFetch] = from.fetch
}, 30_000)
afterAll(() => from.close())

test('discovery is taken as it is', () => {
  expect(configuration.serverMetadata()).toMatchObject({
    issuer: ISSUER,
    jwks_uri: `${ISSUER}/.well-known/jwks.json`,
    id_token_signing_alg_values_supported: expect.arrayContaining(['RS256', 'ES256']),
  })
})

describe('its proofs of possession', () => {
  async function asked(token: string, path: string) {
    const { keys } = await agentOf(from.service)
    const publicKey = (await importJWK(
      { ...keys.sig.publicKey, ext: true },
      'ES256',
    )) as typeof keys.sig.privateKey
    const pair = { privateKey: keys.sig.privateKey, publicKey }
    return await fetchProtectedResource(
      configuration,
      token,
      new URL(`${ISSUER}${path}`),
      'GET',
      undefined,
      undefined,
      { DPoP: getDPoPHandle(configuration, pair) },
    )
  }

  test('are accepted where an agent reads its own appraisal', async () => {
    const { token, claims } = await oneOf(from, audiences.possession)
    const response = await asked(token, `/v1/appraisals/${String(claims.att_appraisal)}`)
    expect(response.status).toBe(200)
  })

  test('do not make a possession of a federation token', async () => {
    const { token, claims } = await oneOf(from, audiences.federation)
    await expect(
      asked(token, `/v1/appraisals/${String(claims.att_appraisal)}`),
    ).rejects.toMatchObject({ status: 401, code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE' })
  })
})
