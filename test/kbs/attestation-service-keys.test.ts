/** The key in runtime data that another service collected: whose it is, and that a revoked one is refused however it is written. */
import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { bearer, get, policyOf, type RunningService } from '../http/running-service.ts'
import { brokerManifest, brokerService } from './broker-scene.ts'
import { clientKey, jcs, type KeyKind, sampleEvidence } from './stock-client.ts'

let service: RunningService
beforeAll(async () => {
  service = await brokerService()
})
afterEach(async () => {
  service.policy.current = await policyOf(brokerManifest())
})
afterAll(async () => {
  await service.close()
})

const base64Url = (text: string | Uint8Array) => Buffer.from(text).toString('base64url')

async function asked(runtimeData: object, bound: string) {
  const evidence = sampleEvidence(createHash('sha384').update(bound).digest())
  const response = await fetch(`${service.url}/attestation`, {
    method: 'POST',
    body: JSON.stringify({
      verification_requests: [
        { tee: 'sample', evidence: base64Url(evidence), runtime_data: runtimeData },
      ],
      policy_ids: [],
    }),
    headers: { 'content-type': 'application/json', ...bearer('enforcer') },
  })
  return { status: response.status, text: await response.text() }
}

async function askedWith(key: object | string) {
  const structured = { nonce: 'bm9uY2U=', 'tee-pubkey': key }
  return await asked({ structured }, jcs(structured as Parameters<typeof jcs>[0]))
}

async function revoke(jkt: string): Promise<void> {
  const revoked = `apiVersion: vouchsafe.dev/v1alpha1
kind: Revocations
metadata: {generation: 1}
spec:
  agentKeys:
    - {value: ${jkt}, reason: stolen}
`
  service.policy.current = await policyOf(brokerManifest(), { revoked })
}

/** One that this Node makes none of: 1,184 bytes as ML-KEM-768 has. */
const akp = { kty: 'AKP', alg: 'ML-KEM-768', pub: base64Url(Buffer.alloc(1184, 7)) }
const keys: readonly [string, Readonly<Record<string, string>>][] = [
  ...(['P-256', 'P-521', 'RSA'] as const).map((kind: KeyKind): (typeof keys)[number] => [
    kind,
    clientKey(kind).jwk,
  ]),
  ['AKP', akp],
]

/** By jose, which shares nothing with the service here. */
const thumbprint = async (key: JWK) => await calculateJwkThumbprint(key, 'sha256')

describe.each(keys)('a key (%s) that revoked/ lists', (_, key) => {
  test('is refused by the check that refuses it elsewhere, which the record has', async () => {
    expect((await askedWith(key)).status).toBe(200)
    await revoke(await thumbprint(key))
    const { status, text } = await askedWith(key)
    const problem = JSON.parse(text)
    expect({ status, ...problem }).toMatchObject({ status: 403, failing: ['revoked.agent-key'] })
    const told = await get(`${service.url}/v1/appraisals/${problem.id}`, bearer('auditor'))
    const finding = told.json.findings.find(
      (each: { id: string }) => each.id === 'revoked.agent-key',
    )
    expect(finding).toMatchObject({ outcome: 'fail' })
    expect(JSON.stringify(finding)).toContain(await thumbprint(key))
    expect(JSON.stringify(finding)).toContain('stolen')
  })

  test('is refused with whatever stands beside it', async () => {
    await revoke(await thumbprint(key))
    for (const beside of [{ kid: 'another' }, key.kty === 'AKP' ? {} : { alg: 'RSA1_5' }])
      expect((await askedWith({ ...key, ...beside })).status).toBe(403)
  })

  test('is none but itself', async () => {
    await revoke(await thumbprint(clientKey('P-256').jwk))
    expect((await askedWith(key)).status).toBe(200)
  })
})

describe('a key is malformed', () => {
  const ec = clientKey('P-256').jwk
  const rsa = clientKey('RSA').jwk
  const padded = (text = '') =>
    base64Url(Buffer.concat([Buffer.alloc(1), Buffer.from(text, 'base64url')]))
  // Another spelling has another thumbprint: whoever is revoked by one would come back by the other.
  test.each<[string, object | string]>([
    ['whose coordinate begins with a zero too many', { ...ec, x: padded(ec.x) }],
    ['whose coordinate is padded', { ...ec, y: `${ec.y}=` }],
    ['beside the curve', { ...ec, y: ec.x }],
    ['on a curve that no client uses', { ...ec, crv: 'P-384' }],
    ['whose modulus begins with a zero', { ...rsa, n: padded(rsa.n) }],
    ['whose exponent begins with a zero', { ...rsa, e: 'AAEAAQ' }],
    ['of an algorithm that has no name', { ...akp, alg: '' }],
    ['in another alphabet', { ...akp, pub: '+/+/' }],
    ['that is nothing', {}],
    ['of another kind', { kty: 'OKP', crv: 'X25519', x: ec.x }],
    ['within an object', { ...ec, x: { y: ec.x } }],
    ['that is text', JSON.stringify(ec)],
  ])('%s', async (_, key) => {
    const { status, text } = await askedWith(key)
    expect({ status, text }).toMatchObject({
      status: 400,
      text: expect.stringMatching(/tee-pubkey: must be/),
    })
  })
})

test('where none is named, none is revoked: in raw runtime data, and in an object without it', async () => {
  await revoke(await thumbprint(clientKey('P-256').jwk))
  expect((await asked({ raw: base64Url('whatever') }, 'whatever')).status).toBe(200)
  expect((await asked({ structured: { nonce: 'bm9u' } }, '{"nonce":"bm9u"}')).status).toBe(200)
})
