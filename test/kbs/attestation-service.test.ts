/** Evidence that another service collected: judged as any other, for an operator with the role enforcer alone. */
import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AT, bearer, post, type RunningService } from '../http/running-service.ts'
import { brokerManifest, brokerService } from './broker-scene.ts'
import { clientKey, jcs, sampleEvidence } from './stock-client.ts'

let service: RunningService
beforeAll(async () => {
  service = await brokerService()
})
afterAll(async () => {
  await service.close()
})

const { jwk } = clientKey('P-256')
const structured = { nonce: 'bm9uY2U=', 'tee-pubkey': jwk, 'additional-evidence': '' }
const base64Url = (text: string | Uint8Array) => Buffer.from(text).toString('base64url')

function evidenceOver(text: string | Uint8Array, algorithm = 'sha384'): string {
  return base64Url(sampleEvidence(createHash(algorithm).update(text).digest()))
}

const verification = {
  tee: 'sample',
  evidence: evidenceOver(jcs(structured)),
  runtime_data: { structured },
}

async function ask(
  changes: object = {},
  { policies = [], role = 'enforcer' as Parameters<typeof bearer>[0] | 'nobody' } = {},
) {
  const response = await fetch(`${service.url}/attestation`, {
    method: 'POST',
    body: JSON.stringify({
      verification_requests: [{ ...verification, ...changes }],
      policy_ids: policies,
    }),
    headers: { 'content-type': 'application/json', ...(role !== 'nobody' && bearer(role)) },
  })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

test('the answer is a bare token that a stock Key Broker can read', async () => {
  const { status, text, headers } = await ask()
  expect(status, text).toBe(200)
  expect(headers.get('content-type')).toMatch(/^text\/plain/)
  const claims = decodeJwt(text)
  expect(claims).toMatchObject({
    iss: service.simulated,
    exp: Math.floor(AT.getTime() / 1000) + 240,
    jti: expect.any(String),
    submods: {
      cpu0: {
        'ear.status': 'contraindicated',
        'ear.veraison.annotated-evidence': {
          runtime_data_claims: structured,
          sample: { svn: '1' },
        },
      },
    },
  })
})

test.each(['sha256', 'sha384', 'sha512'])('raw runtime data is bound by %s', async (algorithm) => {
  const raw = Buffer.from('whatever the Key Broker had hashed')
  const { status, text } = await ask({
    evidence: evidenceOver(raw, algorithm),
    runtime_data: { raw: base64Url(raw) },
    runtime_data_hash_algorithm: algorithm,
  })
  expect(status, text).toBe(200)
})

describe('is refused:', () => {
  test.each([
    ['without a token', 401, {}, { role: 'nobody' as const }],
    ['with the token of another role', 403, {}, { role: 'operator' as const }],
    ['evidence over other data', 403, { runtime_data: { structured: { nonce: 'x' } } }, {}],
    ['no runtime data', 400, { runtime_data: undefined }, {}],
    ['runtime data of numbers', 400, { runtime_data: { structured: { a: 1 } } }, {}],
    ['a TEE that is not judged here', 401, { tee: 'csv' }, {}],
    ['evidence that is no JSON', 400, { evidence: base64Url('{') }, {}],
    ['a policy of its own', 400, {}, { policies: ['mine'] as never[] }],
  ])('%s', async (_, expected, changes, options) => {
    expect((await ask(changes, options)).status).toBe(expected)
  })

  test('more than one device', async () => {
    const { status } = await post(
      `${service.url}/attestation`,
      JSON.stringify({ verification_requests: [verification, verification], policy_ids: [] }),
      bearer('enforcer'),
    )
    expect(status).toBe(400)
  })

  test('everything, where the switch is off', async () => {
    const other = await brokerService({
      manifestText: brokerManifest(),
      broker: { keyBroker: true, sample: true, attestationService: false },
    })
    try {
      expect((await post(`${other.url}/attestation`, '{}', bearer('enforcer'))).status).toBe(404)
    } finally {
      await other.close()
    }
  })
})

test('a challenge is 32 random bytes, another each time', async () => {
  const asked = async () => {
    const response = await fetch(`${service.url}/challenge`, {
      method: 'POST',
      body: JSON.stringify({ tee: 'snp', tee_params: '' }),
      headers: { 'content-type': 'application/json', ...bearer('enforcer') },
    })
    return await response.text()
  }
  const [first, second] = [await asked(), await asked()]
  expect(Buffer.from(first, 'base64')).toHaveLength(32)
  expect(first).not.toBe(second)
})
