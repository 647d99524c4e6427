/** A token of a handshake or of POST /attestation, ended before its time: by whom, and who notices. */
import { createHash } from 'node:crypto'
import {
  calculateJwkThumbprint,
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
  type JWTPayload,
  SignJWT,
} from 'jose'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { AT, bearer, get, policyOf, post, type RunningService } from '../http/running-service.ts'
import { statusOfToken } from '../token/status-list-reader.ts'
import { brokerManifest, brokerService, PATH, SECRET } from './broker-scene.ts'
import { clientKey, jcs, StockClient, sampleEvidence } from './stock-client.ts'

let service: RunningService
beforeEach(async () => {
  service = await brokerService()
  await service.accept(await policyOf(brokerManifest()))
  await service.chores()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await service.close()
})

const claimsOfToken = z.looseObject({
  jti: z.string(),
  iss: z.string(),
  exp: z.number(),
  att_appraisal: z.string(),
  customized_claims: z.looseObject({
    runtime_data: z.looseObject({ 'tee-pubkey': z.record(z.string(), z.string()) }),
  }),
  status: z.strictObject({
    status_list: z.strictObject({ idx: z.number(), uri: z.string() }),
  }),
})

async function judged(): Promise<string> {
  const structured = {
    nonce: 'bm9uY2U=',
    'tee-pubkey': clientKey('P-256').jwk,
    'additional-evidence': '',
  }
  const evidence = sampleEvidence(createHash('sha384').update(jcs(structured)).digest())
  const response = await fetch(`${service.url}/attestation`, {
    method: 'POST',
    body: JSON.stringify({
      verification_requests: [
        {
          tee: 'sample',
          evidence: Buffer.from(evidence).toString('base64url'),
          runtime_data: { structured },
        },
      ],
      policy_ids: [],
    }),
    headers: { 'content-type': 'application/json', ...bearer('enforcer') },
  })
  const token = await response.text()
  expect(response.status, token).toBe(200)
  return token
}

async function attested(): Promise<StockClient> {
  const agent = new StockClient({ url: service.url })
  await agent.handshake()
  return agent
}

const faces = {
  'the Attestation Service': judged,
  'a handshake': async () => (await attested()).token ?? '',
} as const
type Face = keyof typeof faces
const names = Object.keys(faces) as Face[]

async function issued(face: Face = 'the Attestation Service') {
  const token = await faces[face]()
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

const keyOf = async ({ customized_claims }: Issued['claims']) =>
  await calculateJwkThumbprint(customized_claims.runtime_data['tee-pubkey'], 'sha256')

describe.each(names)('a token of %s', (face) => {
  test('has a place in the list of its issuer, a row, and a line in what is told of its appraisal', async () => {
    const { token, claims } = await issued(face)
    expect(claims.status.status_list.uri).toMatch(`${service.simulated}/status-lists/`)
    expect(await listed({ token, claims })).toBe(0)
    const [known, ...others] = await service.verifier.store.tokensOf(claims.att_appraisal)
    expect(others).toEqual([])
    expect(known).toMatchObject({
      jti: claims.jti,
      form: 'broker',
      issuer: service.simulated,
      status: { index: claims.status.status_list.idx },
      jkt: await keyOf(claims),
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
    const { token, claims } = await issued(face)
    expect(await introspected(token)).toMatchObject({
      active: true,
      token_type: 'Bearer',
      jti: claims.jti,
      status: claims.status,
    })
  })

  test.each<[string, (claims: Issued['claims']) => object | Promise<object>]>([
    ['its jti', ({ jti }) => ({ token: jti })],
    ['its appraisal', ({ att_appraisal }) => ({ appraisal: att_appraisal })],
    ['its key', async (claims) => ({ key: await keyOf(claims) })],
    ['its agent', () => ({ agent: { environment: 'prod', agent: 'invoice-bot' } })],
  ])('is revoked by %s: inactive at once, and set in the list', async (_, selection) => {
    const one = await issued(face)
    expect(await revoke(await selection(one.claims))).toMatchObject({
      revoked: 1,
      tokens: [one.claims.jti],
    })
    expect(await introspected(one.token)).toEqual({ active: false })
    expect(await listed(one)).toBe(1)
    expect(await revoke(await selection(one.claims))).toMatchObject({ revoked: 0 })
  })

  test('is revoked alone, where its jti was named', async () => {
    const [one, other] = [await issued(face), await issued(face)]
    await revoke({ token: one.claims.jti })
    expect(await introspected(other.token)).toMatchObject({ active: true })
    expect([await listed(one), await listed(other)]).toEqual([1, 0])
  })

  test('ends with a policy that refuses its evidence', async () => {
    const one = await issued(face)
    const narrower = brokerManifest((text) => text.replace('svn: "1"', 'svn: "2"'))
    await service.accept(await policyOf(narrower, { commit: 'd'.repeat(40) }))
    await service.chores()
    const known = await service.verifier.store.findToken(one.claims.jti)
    expect(known?.revocation).toMatchObject({ reason: 'policy', by: 'reappraisal' })
    expect(await introspected(one.token)).toEqual({ active: false })
    expect(await listed(one)).toBe(1)
  })

  test('ends with a policy that lists its key', async () => {
    const [one, other] = [await issued(face), await issued(face)]
    const revoked = `apiVersion: vouchsafe.dev/v1alpha1
kind: Revocations
metadata: {generation: 1}
spec:
  agentKeys:
    - {value: ${await keyOf(one.claims)}, reason: stolen}
`
    await service.accept(await policyOf(brokerManifest(), { commit: 'd'.repeat(40), revoked }))
    await service.chores()
    const known = await service.verifier.store.findToken(one.claims.jti)
    expect(known?.revocation?.detail).toContain('revoked.agent-key')
    expect(await introspected(one.token)).toEqual({ active: false })
    expect(await introspected(other.token)).toMatchObject({ active: true })
    expect([await listed(one), await listed(other)]).toEqual([1, 0])
  })

  test('stays with a policy that takes its evidence', async () => {
    const one = await issued(face)
    const wider = brokerManifest((text) => text.replace('a1'.repeat(48), 'a9'.repeat(48)))
    await service.accept(await policyOf(wider, { commit: 'e'.repeat(40) }))
    await service.chores()
    expect(await introspected(one.token)).toMatchObject({ active: true })
  })
})

describe('a handshake whose token was revoked', () => {
  const everything = { agent: { environment: 'prod', agent: 'invoice-bot' } }

  test.each<[string, () => Promise<unknown>]>([
    ['an operator', async () => await revoke(everything)],
    [
      'a policy',
      async () => {
        const narrower = brokerManifest((text) => text.replace('svn: "1"', 'svn: "2"'))
        await service.accept(await policyOf(narrower, { commit: 'd'.repeat(40) }))
        await service.chores()
      },
    ],
  ])('by %s yields no secret, neither by cookie nor by token', async (_, end) => {
    const agent = await attested()
    expect(await agent.secret(PATH)).toBe(SECRET)
    await end()
    for (const by of ['cookie', 'token'] as const)
      expect((await agent.resource(PATH, by)).status).toBe(401)
  })

  test.each(['attestBrokerSession', 'sealedVersion'] as const)(
    'while %s was under way yields none',
    async (method) => {
      const { store } = service.verifier
      const asked: (...given: never[]) => Promise<unknown> = store[method]
      vi.spyOn(store, method).mockImplementation((async (...given: never[]) => {
        expect(await revoke(everything)).toMatchObject({ revoked: 1 })
        return await asked(...given)
      }) as never)
      const agent = await attested()
      expect((await agent.resource(PATH)).status).toBe(401)
    },
  )

  test('is named to nobody by what names its token: that is not the cookie', async () => {
    const agent = await attested()
    const { jti, att_appraisal } = claimsOfToken.parse(decodeJwt(agent.token ?? ''))
    const { json } = await get(`${service.url}/v1/appraisals/${att_appraisal}`, bearer('auditor'))
    expect(JSON.stringify(json)).toContain(jti)
    expect(JSON.stringify(json)).not.toContain(agent.cookie?.split('=')[1])
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
