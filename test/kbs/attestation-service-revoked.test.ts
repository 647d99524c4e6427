/** A token that POST /attestation answered with, ended before its time: by whom, and who notices. */
import { createHash } from 'node:crypto'
import {
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
  type JWTPayload,
  SignJWT,
} from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { AT, bearer, get, policyOf, post, type RunningService } from '../http/running-service.ts'
import { statusOfToken } from '../token/status-list-reader.ts'
import { brokerManifest, brokerService } from './broker-scene.ts'
import { clientKey, jcs, sampleEvidence } from './stock-client.ts'

let service: RunningService
beforeEach(async () => {
  service = await brokerService()
  await service.accept(await policyOf(brokerManifest()))
  await service.chores()
})
afterEach(() => service.close())

const structured = {
  nonce: 'bm9uY2U=',
  'tee-pubkey': clientKey('P-256').jwk,
  'additional-evidence': '',
}
const evidence = sampleEvidence(createHash('sha384').update(jcs(structured)).digest())
const question = {
  verification_requests: [
    {
      tee: 'sample',
      evidence: Buffer.from(evidence).toString('base64url'),
      runtime_data: { structured },
    },
  ],
  policy_ids: [],
}

const claimsOfToken = z.looseObject({
  jti: z.string(),
  iss: z.string(),
  exp: z.number(),
  att_appraisal: z.string(),
  status: z.strictObject({
    status_list: z.strictObject({ idx: z.number(), uri: z.string() }),
  }),
})

async function issued() {
  const response = await fetch(`${service.url}/attestation`, {
    method: 'POST',
    body: JSON.stringify(question),
    headers: { 'content-type': 'application/json', ...bearer('enforcer') },
  })
  const token = await response.text()
  expect(response.status, token).toBe(200)
  return { token, claims: claimsOfToken.parse(decodeJwt(token)) }
}
type Issued = Awaited<ReturnType<typeof issued>>

const revoke = async (body: object) =>
  (await post(`${service.url}/v1/revocations`, JSON.stringify(body), bearer('operator'))).json
const introspected = async (token: string) =>
  (await post(`${service.url}/v1/introspections`, JSON.stringify({ token }), bearer('viewer'))).json

/** By what anybody may fetch; a second later, since a list is signed at most so often. */
async function listed({ claims: { status, iss } }: Issued): Promise<number> {
  service.clock.at = new Date(service.clock.at.getTime() + 1000)
  const list = await fetch(status.status_list.uri)
  const { json: jwks } = await get(`${iss}/.well-known/jwks.json`)
  const conditions = { jwks: jwks as JSONWebKeySet, at: service.clock.at }
  return await statusOfToken(await list.text(), status.status_list, conditions)
}

describe('a token of the Attestation Service', () => {
  test('has a place in the list of its issuer, a row, and a line in what is told of its appraisal', async () => {
    const { token, claims } = await issued()
    expect(claims.status.status_list.uri).toMatch(`${service.simulated}/status-lists/`)
    expect(await listed({ token, claims })).toBe(0)
    const [known, ...others] = await service.verifier.store.tokensOf(claims.att_appraisal)
    expect(others).toEqual([])
    expect(known).toMatchObject({
      jti: claims.jti,
      form: 'broker',
      issuer: service.simulated,
      status: { index: claims.status.status_list.idx },
      expiresAt: new Date(claims.exp * 1000),
      revocation: undefined,
    })
    const told = await get(
      `${service.url}/v1/appraisals/${claims.att_appraisal}`,
      bearer('auditor'),
    )
    expect(told.json.tokens).toMatchObject([{ jti: claims.jti, form: 'broker' }])
  })

  test('is active to whoever asks, as a bearer', async () => {
    const { token, claims } = await issued()
    expect(await introspected(token)).toMatchObject({
      active: true,
      token_type: 'Bearer',
      jti: claims.jti,
      status: claims.status,
    })
  })

  test.each<[string, (claims: Issued['claims']) => object]>([
    ['its jti', ({ jti }) => ({ token: jti })],
    ['its appraisal', ({ att_appraisal }) => ({ appraisal: att_appraisal })],
    ['its agent', () => ({ agent: { environment: 'prod', agent: 'invoice-bot' } })],
  ])('is revoked by %s: inactive at once, and set in the list', async (_, selection) => {
    const one = await issued()
    expect(await revoke(selection(one.claims))).toMatchObject({
      revoked: 1,
      tokens: [one.claims.jti],
    })
    expect(await introspected(one.token)).toEqual({ active: false })
    expect(await listed(one)).toBe(1)
    expect(await revoke(selection(one.claims))).toMatchObject({ revoked: 0 })
  })

  test('is revoked alone, where its jti was named', async () => {
    const [one, other] = [await issued(), await issued()]
    await revoke({ token: one.claims.jti })
    expect(await introspected(other.token)).toMatchObject({ active: true })
    expect([await listed(one), await listed(other)]).toEqual([1, 0])
  })

  test('ends with a policy that refuses its evidence', async () => {
    const one = await issued()
    const narrower = brokerManifest((text) => text.replace('svn: "1"', 'svn: "2"'))
    await service.accept(await policyOf(narrower, { commit: 'd'.repeat(40) }))
    await service.chores()
    const known = await service.verifier.store.findToken(one.claims.jti)
    expect(known?.revocation).toMatchObject({ reason: 'policy', by: 'reappraisal' })
    expect(await introspected(one.token)).toEqual({ active: false })
    expect(await listed(one)).toBe(1)
  })

  test('stays with a policy that takes its evidence', async () => {
    const one = await issued()
    const wider = brokerManifest((text) => text.replace('a1'.repeat(48), 'a9'.repeat(48)))
    await service.accept(await policyOf(wider, { commit: 'e'.repeat(40) }))
    await service.chores()
    expect(await introspected(one.token)).toMatchObject({ active: true })
  })
})

describe('whoever stole the key cannot sign, under the jti of a token that is known,', () => {
  const signed = async (change: object | ((claims: JWTPayload) => object), typ?: string) => {
    const { token } = await issued()
    const issuer = service.verifier.tenants.get('default')?.issuers.simulated
    const key = issuer?.signer('possession', AT)
    if (!key) throw new Error('there is no key')
    const { alg, kid, typ: itsOwn } = decodeProtectedHeader(token)
    const claims = decodeJwt(token)
    return await new SignJWT({
      ...claims,
      ...(typeof change === 'function' ? change(claims) : change),
    })
      .setProtectedHeader({ alg: alg ?? '', kid: kid ?? '', typ: typ ?? itsOwn ?? '' })
      .sign(key.privateKey)
  }

  test('which is seen, since the very same claims are active', async () => {
    expect(await introspected(await signed({}))).toMatchObject({ active: true })
  })

  test.each<[string, object | ((claims: JWTPayload) => object), string?]>([
    [
      'a token of possession, with all that its record would have',
      ({ sub }) => ({ aud: '', client_id: sub, cnf: { jkt: '' } }),
      'at+jwt',
    ],
    ['another subject', { sub: 'somebody' }],
    ['an audience', { aud: 'kms.example' }],
    ['a later end', { exp: AT.getTime() / 1000 + 86_400 }],
    ['a key of his own', { cnf: { jkt: 'A'.repeat(43) } }],
    ['no status', { status: undefined }],
  ])('%s', async (_, change, typ) => {
    expect(await introspected(await signed(change, typ))).toEqual({ active: false })
  })
})
