/** Attestation over real HTTP: who gets tokens, and everyone who tries to get one otherwise. */
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { attestationResponse } from '#src/http/responses.ts'
import { Problem } from '#src/problems.ts'
import { endorsements } from '#src/rats/endorsements.ts'
import { type RuntimeClaims, reportDataOf } from '#src/rats/runtime-claims.ts'
import {
  type AgentKeys,
  type Attester,
  bornKeys,
  claimsFor,
  openTokens,
  signedAttestation,
} from '../../enclave/attestation.ts'
import { type AttemptRequest, attestAt } from './attempt.ts'
import {
  AT,
  agentOf,
  attester,
  challenge,
  get,
  goodMeasurement,
  manifest,
  platform,
  policyOf,
  post,
  type RunningService,
  runService,
} from './running-service.ts'

const usual = policyOf()
let service: RunningService
let keys: AgentKeys
beforeAll(async () => {
  service = await runService()
  keys = (await agentOf(service)).keys
})
afterAll(() => service.close())
beforeEach(async () => {
  service.clock.at = AT
  service.policy.current = await usual
})

interface Attempt extends AttemptRequest {
  readonly at?: RunningService
}

const attempt = ({ at = service, ...asked }: Attempt = {}) => attestAt(at, { keys, ...asked })

/** Of the only one, or of the first of several. */
const tokenOf = async (json: unknown) => (await openTokens(json, keys))[0]?.token ?? 'none'

const outcomeOf = (json: { findings: { id: string; outcome: string }[] }, id: string) =>
  json.findings.find((finding) => finding.id === id)?.outcome

describe('the approved agent', () => {
  test('gets a token that only it can open and that verifies under the published keys', async () => {
    const { status, headers, json } = await attempt()
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(attestationResponse.safeParse(json).error).toBeUndefined()
    expect(json.tokens).toMatchObject([
      {
        form: 'possession',
        audience: 'kms.example',
        encoding: 'jwe',
        type: 'at+jwt',
        issuer: service.simulated,
        subject: 'simulated:spiffe://127.0.0.1/t/default/env/prod/agent/invoice-bot',
        expiresAt: '2026-06-01T00:04:00.000Z',
      },
    ])
    const [issued] = json.tokens
    expect(decodeProtectedHeader(issued.token)).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM' })

    const token = await tokenOf(json)
    const { json: discovery } = await get(`${service.simulated}/.well-known/openid-configuration`)
    const { json: jwks } = await get(discovery.jwks_uri)
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(jwks), {
      issuer: service.simulated,
      audience: 'kms.example',
      typ: 'at+jwt',
      algorithms: ['ES256'],
      currentDate: AT,
    })
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: expect.any(String), typ: 'at+jwt' })
    const seconds = AT.getTime() / 1000
    expect(payload).toMatchObject({
      sub: 'simulated:spiffe://127.0.0.1/t/default/env/prod/agent/invoice-bot',
      jti: issued.jti,
      att_appraisal: json.id,
      iat: seconds,
      exp: seconds + 240,
      cnf: { jkt: keys.sig.thumbprint },
      enc_jkt: keys.enc.thumbprint,
      tenant: 'default',
      eat_profile: 'tag:ietf.org,2026:rats/ear#03',
      ear_status: 'contraindicated',
      ear_verifier_id: { developer: service.simulated, build: 'vouchsafe/test' },
      submods: {
        cpu0: {
          ear_status: 'contraindicated',
          ear_trustworthiness_vector: { hardware: 97, 'runtime-opaque': 96, executables: 3 },
        },
        agent0: { ear_status: 'contraindicated' },
      },
      att_tee: 'sev-snp',
      att_hw: 'AMD_SEV_SNP_GENOA',
      att_measurement: 'a1'.repeat(48),
      att_assurance: 'simulated',
      att_release: {
        environment: 'prod',
        agent: 'invoice-bot',
        generation: 42,
        reference_value: 'current',
        manifest: 'agents/prod/invoice-bot.yaml',
      },
      att_policy: { commit: 'c'.repeat(40), digest: (await usual).digest },
      att_log: { leaf: json.logLeaf },
      status: { status_list: { idx: issued.status.index, uri: issued.status.uri } },
    })
    expect(issued.status.uri).toMatch(new RegExp(`^${service.simulated}/status-lists/\\d+$`))
  })

  test('cannot be read by whoever relayed its evidence', async () => {
    const { json } = await attempt()
    await expect(openTokens(json, await bornKeys())).rejects.toThrow()
  })

  test('gets a bare token when it names no encryption key', async () => {
    const { status, json } = await attempt({
      claims: { enc_jkt: '' },
      body: ({ enc_jwk: _, ...body }) => body,
    })
    expect(status).toBe(200)
    expect(json.tokens[0].encoding).toBe('jwt')
    expect(decodeJwt(json.tokens[0].token)).not.toHaveProperty('enc_jkt')
  })

  test('is kept: verdict, findings, evidence, and of the token everything but itself', async () => {
    const { json } = await attempt()
    const kept = await service.verifier.store.findAppraisal(json.id)
    expect(kept).toMatchObject({
      verdict: 'issued',
      referenceValue: { id: 'current', isMatched: true },
      audiences: ['kms.example'],
      leafHash: json.logLeaf,
    })
    const [{ jti, status, subject }] = json.tokens
    expect(await service.verifier.store.tokensOf(json.id)).toMatchObject([
      {
        jti,
        appraisal: json.id,
        form: 'possession',
        issuer: service.simulated,
        audience: 'kms.example',
        jkt: keys.sig.thumbprint,
        subject,
        status: { index: status.index },
        revocation: undefined,
      },
    ])
    expect(kept?.evidence?.quote.length).toBe(1184)
    expect(JSON.stringify(kept)).not.toContain(await tokenOf(json))
  })

  test('may ask for one of several audiences, and must then say which', async () => {
    service.policy.current = await policyOf(
      manifest((text) => `${text}    - {audience: b, ttl: 30s}\n`),
    )
    const chosen = await attempt({ body: (body) => ({ ...body, audience: 'b' }) })
    const payload = decodeJwt(await tokenOf(chosen.json))
    expect(payload.aud).toBe('b')
    expect(Number(payload.exp) - Number(payload.iat)).toBe(30)
    const silent = await attempt()
    expect(silent.json.failing).toEqual(['release.audience'])
  })
})

describe('a challenge', () => {
  test('is good for one: of fifty at once one wins', async () => {
    const nonce = await challenge(service)
    const attempts = await Promise.all(
      Array.from({ length: 50 }, () => attempt({ claims: { nonce } })),
    )
    const statuses = attempts.map(({ status }) => status).toSorted()
    expect(statuses).toEqual([200, ...Array.from({ length: 49 }, () => 409)])
    expect(attempts.find(({ status }) => status === 409)?.json.code).toBe('challenge-used')
  })

  test('is used up by a refusal too', async () => {
    const nonce = await challenge(service)
    const tampered = attester(new Uint8Array(48).fill(0xee))
    expect((await attempt({ claims: { nonce }, attester: tampered })).json.code).toBe(
      'evidence-rejected',
    )
    expect((await attempt({ claims: { nonce } })).json.code).toBe('challenge-used')
  })

  test('is not used up by a request that proves nothing', async () => {
    const nonce = await challenge(service)
    const unsigned = await attempt({ claims: { nonce }, sent: ({ body }) => ({ body }) })
    expect(unsigned.status).toBe(400)
    expect((await attempt({ claims: { nonce } })).status).toBe(200)
  })

  test.each([
    [120, 200],
    [121, 403],
  ])('answered %i s after it was issued gives %i', async (seconds, status) => {
    const nonce = await challenge(service)
    service.clock.at = new Date(AT.getTime() + seconds * 1000)
    const { status: got, json } = await attempt({ claims: { nonce } })
    expect(got).toBe(status)
    if (status === 403) expect(json.code).toBe('challenge-expired')
  })

  test('of the future is refused: nobody here issued it yet', async () => {
    const nonce = await challenge(service)
    service.clock.at = new Date(AT.getTime() - 6_000)
    expect((await attempt({ claims: { nonce } })).json.code).toBe('challenge-expired')
  })

  test('of another tenant is unknown', async () => {
    const nonce = await challenge(service, 'acme')
    expect((await attempt({ claims: { nonce } })).json.code).toBe('challenge-unknown')
  })

  test('of another service is unknown', async () => {
    const other = await runService()
    try {
      const nonce = await challenge(other)
      expect((await attempt({ claims: { nonce } })).json.code).toBe('challenge-unknown')
    } finally {
      await other.close()
    }
  })

  test.each([
    ['one bit of its code', 85],
    ['one bit of its time', 48],
    ['one bit of its random part', 3],
  ])('with %s changed is unknown', async (_, at) => {
    const nonce = await challenge(service)
    const other = nonce[at] === 'A' ? 'Q' : 'A'
    const changed = nonce.slice(0, at) + other + nonce.slice(at + 1)
    const { json } = await attempt({ claims: { nonce: changed } })
    expect(json.code).toBe('challenge-unknown')
  })
})

describe('whoever is not that agent', () => {
  test('a tampered agent is refused, and told by which check and how near it came', async () => {
    const { status, headers, json } = await attempt({
      attester: attester(new Uint8Array(48).fill(0xee)),
    })
    expect(status).toBe(403)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(json).toMatchObject({
      code: 'evidence-rejected',
      stage: 'appraisal',
      failing: ['snp.measurement.expected'],
      nearest: {
        referenceValue: 'current',
        line: 15,
        isMatched: false,
        failing: ['snp.measurement.expected'],
        fields: [
          {
            check: 'snp.measurement.expected',
            field: 'measurement',
            line: 17,
            observed: 'ee'.repeat(48),
            expected: 'a1'.repeat(48),
          },
        ],
      },
      policy: {
        file: 'agents/prod/invoice-bot.yaml',
        line: 17,
        commit: 'c'.repeat(40),
        changedBy: { commit: 'b'.repeat(40), principal: 'alice' },
      },
      requestId: headers.get('x-request-id'),
    })
    const finding = json.findings.find(
      ({ id }: { id: string }) => id === 'snp.measurement.expected',
    )
    expect(finding).toMatchObject({ observed: 'ee'.repeat(48), expected: 'a1'.repeat(48) })
    expect(outcomeOf(json, 'binding.report-data')).toBe('pass')
  })

  test('evidence of another agent, relayed with own keys: the binding names other keys', async () => {
    const { identity } = await agentOf(service)
    const nonce = await challenge(service)
    const victims = reportDataOf(claimsFor(identity, keys, nonce))
    const relayed: Attester = {
      attest: () => platform.attest({ reportData: victims, measurement: goodMeasurement }),
      endorsements: platform.endorsements,
    }
    const { json } = await attempt({
      claims: { nonce },
      keys: await bornKeys(),
      attester: relayed,
    })
    expect(json).toMatchObject({ stage: 'binding', failing: ['binding.report-data'] })
  })

  test('evidence of another agent with its own claims and keys, but no way to sign', async () => {
    const thief = await bornKeys()
    const { status, json } = await attempt({
      sent: ({ body, proof }) => ({ body, proof: `${proof.slice(0, -8)}AAAAAAAA` }),
    })
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    const own = await attempt({ body: (body) => ({ ...body, jwk: thief.sig.publicKey }) })
    expect(own.json.detail).toContain('runtimeClaims.sig_jkt')
  })

  test('an encryption key put in the place of the agent’s', async () => {
    const thief = await bornKeys()
    const { json } = await attempt({
      body: (body) => ({ ...body, enc_jwk: thief.enc.publicKey }),
    })
    expect(json.detail).toContain('runtimeClaims.enc_jkt')
  })

  test.each<[string, Partial<RuntimeClaims>, string]>([
    ['another verifier', { verifier: 'https://elsewhere.example' }, 'binding.verifier'],
    ['the issuer for hardware', { verifier: 'hardware' }, 'binding.verifier'],
  ])('evidence made for %s', async (_, claims, id) => {
    const verifier = claims.verifier === 'hardware' ? service.url : (claims.verifier ?? '')
    const { json } = await attempt({ claims: { ...claims, verifier } })
    expect(json).toMatchObject({ stage: 'binding', failing: [id] })
  })

  test('simulated evidence at a tenant that takes none', async () => {
    const nonce = await challenge(service, 'acme')
    const { json } = await attempt({ claims: { nonce, tenant: 'acme' } })
    expect(json).toMatchObject({
      code: 'evidence-rejected',
      stage: 'authentication',
      failing: ['snp.chain.anchored'],
    })
    expect(outcomeOf(json, 'binding.report-data')).toBe('not-reached')
  })

  test('an agent nobody approved', async () => {
    const { status, json } = await attempt({ claims: { agent: 'other' } })
    expect([status, json.code]).toEqual([403, 'release-unknown'])
  })

  test.each([
    ['not yet', '2025-12-31T23:59:59Z'],
    ['no longer', '2027-01-01T00:00:01Z'],
  ])('a release that is %s in force', async (_, at) => {
    service.clock.at = new Date(at)
    const { json } = await attempt()
    expect(json.failing).toContain('release.validity')
  })

  test('a kind of hardware that the release does not know', async () => {
    service.policy.current = await policyOf(
      manifest((text) =>
        text.replace(
          /spec:.*release:/s,
          `spec:\n  referenceValues:\n    - {id: e, tee: sgx, mrEnclave: sha256:${'00'.repeat(32)}}\n  release:`,
        ),
      ),
    )
    const { json } = await attempt()
    expect(json).toMatchObject({ failing: ['release.tee'], stage: 'release', nearest: null })
  })

  test('an audience that the release does not allow', async () => {
    const { json } = await attempt({ body: (body) => ({ ...body, audience: 'sts.example' }) })
    expect(json).toMatchObject({ failing: ['release.audience'], stage: 'release' })
  })

  test('a report with one bit flipped', async () => {
    const flipped: Attester = {
      ...attester(),
      async attest(reportData) {
        const evidence = await attester().attest(reportData)
        const quote = evidence.quote.slice()
        quote[0x90] = (quote[0x90] ?? 0) ^ 1
        return { ...evidence, quote }
      },
    }
    const { json } = await attempt({ attester: flipped })
    expect(json).toMatchObject({ stage: 'authentication', failing: ['snp.report.signature'] })
  })

  test('a guest in debug mode, however it is measured', async () => {
    const { json } = await attempt({
      attester: attester(goodMeasurement, { policy: 0xb_0000n }),
    })
    expect(json.failing).toContain('snp.policy.debug-off')
  })
})

describe('the proof is over this very request', () => {
  test.each<[string, Attempt, string]>([
    ['a missing proof', { sent: ({ body }) => ({ body }) }, 'is missing'],
    [
      'a body changed on the way',
      { sent: ({ body, proof }) => ({ body: body.replace('{', '{ '), proof }) },
      'bodySha256',
    ],
    [
      'a field added on the way',
      { sent: ({ body, proof }) => ({ body: body.replace('{', '{"audience":"b",'), proof }) },
      'bodySha256',
    ],
    ['no JWS', { sent: ({ body }) => ({ body, proof: 'x' }) }, 'not a compact JWS'],
    [
      'an unsecured JWS',
      {
        sent: ({ body, proof }) => ({
          body,
          proof: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${proof.split('.')[1]}.`,
        }),
      },
      'not a compact JWS',
    ],
  ])('%s', async (_, how, says) => {
    const { status, json } = await attempt(how)
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    expect(json.detail).toContain(says)
  })

  test('a proof of another request with the same challenge', async () => {
    const nonce = await challenge(service)
    let other = ''
    await attempt({
      claims: { nonce },
      sent(made) {
        other = made.proof
        return { body: made.body, proof: 'x' }
      },
    })
    const { json } = await attempt({
      claims: { nonce, seq: '1' },
      sent: ({ body }) => ({ body, proof: other }),
    })
    expect(json.detail).toContain('bodySha256')
  })

  test('a proof for another address', async () => {
    const { identity } = await agentOf(service)
    const nonce = await challenge(service)
    const claims = claimsFor(identity, keys, nonce)
    const made = { service: 'https://elsewhere.example', keys, attester: attester() }
    const { body, proof } = await signedAttestation(claims, made)
    const { json } = await post(`${service.url}/v1/attestations`, body, {
      'attestation-proof': proof,
    })
    expect(json.detail).toContain('htu')
  })
})

describe('without what a verdict needs there is none', () => {
  test('no accepted policy: 503, and the challenge stays good', async () => {
    const nonce = await challenge(service)
    service.policy.current = undefined
    const { status, headers, json } = await attempt({ claims: { nonce } })
    expect([status, json.code]).toEqual([503, 'policy-unavailable'])
    expect(headers.get('retry-after')).toBe('30')
    service.policy.current = await policyOf()
    expect((await attempt({ claims: { nonce } })).status).toBe(200)
  })

  test('no revocation list: refused, since nothing was waived', async () => {
    const bare = { ...attester(), endorsements: { certificates: [], crls: [] } }
    const { json } = await attempt({ attester: bare })
    expect(json).toMatchObject({ stage: 'authentication', failing: ['snp.crl.current'] })
  })

  test('good evidence on what the agent brought alone, while the vendor is silent: 503 and no token', async () => {
    const problem = new Problem('collateral-unavailable', 'AMD KDS', { retryAfterSeconds: 7 })
    const subject = { document: 'amd-crl', product: 'Genoa', key: 'vcek' } as const
    const silent = await runService({
      collect: async (_, __, parts) => ({
        endorsements: endorsements(parts ?? {}),
        missing: [{ subject, problem }],
      }),
    })
    try {
      const { status, json } = await attempt({ at: silent })
      expect([status, json.code]).toEqual([503, 'collateral-unavailable'])
    } finally {
      await silent.close()
    }
  })

  test('a vendor that does not answer: 503, and the challenge stays good', async () => {
    const problem = new Problem('collateral-unavailable', 'AMD KDS', { retryAfterSeconds: 7 })
    const subject = { document: 'amd-crl', product: 'Genoa', key: 'vcek' } as const
    const lacking = await runService({
      collect: async (_, __, parts) => ({
        endorsements: endorsements({ certificates: parts?.certificates ?? [] }),
        missing: [{ subject, problem }],
      }),
    })
    try {
      const nonce = await challenge(lacking)
      const { status, headers, json } = await attempt({ at: lacking, claims: { nonce } })
      expect([status, json.code]).toEqual([503, 'collateral-unavailable'])
      expect(headers.get('retry-after')).toBe('7')
      expect(await attempt({ at: lacking, claims: { nonce } })).toMatchObject({ status: 503 })
    } finally {
      await lacking.close()
    }
  })

  test.each([
    ['a database that does not answer', new Problem('storage-unavailable', 'x'), 503],
    ['a fault of our own', new Error('secret detail'), 500],
  ])('%s: no token, and nothing said about it', async (_, error, status) => {
    const store = { ...memoryStore(), recordAttestation: () => Promise.reject(error) }
    const broken = await runService({ store })
    try {
      const { status: got, json } = await attempt({ at: broken })
      expect(got).toBe(status)
      expect(json).not.toHaveProperty('tokens')
      expect(JSON.stringify(json)).not.toContain('secret')
      expect(broken.journal.at(-1)).toMatchObject({
        event: 'request.failed',
        requestId: json.requestId,
      })
    } finally {
      await broken.close()
    }
  })

  test('no revocation list, waived by the policy with a reason: a token that says warning at best', async () => {
    service.policy.current = await policyOf(
      manifest((text) =>
        text.replace('  release:', '  waivers: [{check: revocation, reason: test}]\n  release:'),
      ),
    )
    const bare = { ...attester(), endorsements: { certificates: [], crls: [] } }
    const { status, json } = await attempt({ attester: bare })
    expect(status).toBe(200)
    const kept = await service.verifier.store.findAppraisal(json.id)
    expect(kept?.findings.some(({ outcome }) => outcome === 'waived')).toBe(true)
  })
})

test('the log has the verdicts, and neither evidence nor token nor challenge', async () => {
  const { json } = await attempt()
  const refused = await attempt({ attester: attester(new Uint8Array(48).fill(0xee)) })
  const text = JSON.stringify(service.journal)
  expect(text).toContain(json.id)
  expect(text).toContain(refused.json.appraisal)
  const kept = await service.verifier.store.findAppraisal(json.id)
  for (const secret of [
    json.tokens[0].token,
    await tokenOf(json),
    kept?.runtimeClaims.nonce ?? '?',
    Buffer.from(kept?.evidence?.quote ?? [])
      .toString('base64url')
      .slice(0, 100),
    'ee'.repeat(48),
  ])
    expect(text).not.toContain(secret)
})
