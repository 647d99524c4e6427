/** The claims of a token: its subject comes from the release, its life from the policy, its truth from the appraisal. */
import { describe, expect, test } from 'vitest'
import type { Layer, TokenForm } from '#src/rats/release.ts'
import { tokenClaims } from '#src/token/claims.ts'
import { lifetimeSeconds } from '#src/token/lifetime.ts'
import { subjectOf } from '#src/token/subject.ts'
import { agent, planned } from './attested-agent.ts'

const issuer = 'https://attest.example.com/t/acme'
const sub = 'spiffe://attest.example.com/t/acme/env/prod/agent/invoice-bot'
const policyId = `${issuer}/policies/acme@sha256:00`
const forms: readonly TokenForm[] = ['possession', 'federation', 'workload']

/** Of every form, in the names of 2026. */
const shared = {
  iat: 1780272000,
  nbf: 1780272000,
  exp: 1780272240,
  jti: 'the-jti',
  tenant: 'acme',
  eat_profile: 'tag:ietf.org,2026:rats/ear#03',
  ear_verifier_id: { developer: issuer, build: 'vouchsafe/1' },
  ear_status: 'affirming',
  submods: {
    cpu0: {
      ear_status: 'affirming',
      ear_trustworthiness_vector: { configuration: 2, executables: 3, hardware: 2 },
      ear_appraisal_policy_ids: [policyId],
      eat_nonce: 'challenge',
    },
    agent0: {
      ear_status: 'affirming',
      ear_trustworthiness_vector: { executables: 3 },
      ear_appraisal_policy_ids: [`${policyId}#agents/prod/invoice-bot.yaml`],
      att_layers: [
        { subject: 'launch', digest: 'sha384:aa', bound: 'hardware', through: 'measurement' },
        { subject: 'artifact:image', digest: 'sha256:bb', bound: 'claimed', through: null },
      ],
    },
  },
  dbgstat: 'disabled-since-boot',
  att_tee: 'sev-snp',
  att_hw: 'AMD_SEV_SNP_MILAN',
  att_measurement: 'aa',
  att_assurance: 'hardware',
  att_appraisal: 'the-appraisal',
  att_release: {
    environment: 'prod',
    agent: 'invoice-bot',
    version: '1.8.0',
    generation: 42,
    manifest: 'agents/prod/invoice-bot.yaml',
    manifest_digest: 'sha256:ff',
    reference_value: 'milan',
    reference_value_line: 12,
  },
  att_policy: { commit: 'c', digest: 'sha256:00' },
  att_log: { leaf: '1ea7' },
  status: { status_list: { idx: 41, uri: `${issuer}/status-lists/7` } },
}
const jwk = { kty: 'EC', crv: 'P-256', x: 'X', y: 'Y', alg: 'ES256' }

describe('a whole token, written out', () => {
  test('of possession', () =>
    expect(tokenClaims(agent, planned('possession'), '2026')).toEqual({
      ...shared,
      iss: issuer,
      sub,
      aud: 'kms.example',
      client_id: sub,
      cnf: { jkt: 'sig' },
    }))

  test('for federation', () =>
    expect(tokenClaims(agent, planned('federation'), '2026')).toEqual({
      ...shared,
      iss: issuer,
      sub,
      aud: 'kms.example',
      cnf: { jwk },
      att_status: 'affirming',
      att_environment: 'prod',
      att_agent: 'invoice-bot',
      att_generation: 42,
      att_reference_value: 'milan',
      att_policy_commit: 'c',
      'https://aws.amazon.com/tags': {
        principal_tags: {
          tenant: ['acme'],
          environment: ['prod'],
          agent: ['invoice-bot'],
          tier: ['affirming'],
          hardware: ['AMD_SEV_SNP_MILAN'],
        },
        transitive_tag_keys: ['tenant', 'environment', 'agent', 'tier', 'hardware'],
      },
    }))

  test('of a workload: no aud, and no iss', () =>
    expect(tokenClaims(agent, planned('workload'), '2026')).toEqual({
      ...shared,
      sub,
      cnf: { jwk },
    }))
})

describe('in the names of 2023', () => {
  test.each(['possession', 'federation'] as const)('a token of form %s', (form) => {
    const claims = tokenClaims(agent, planned(form), 'legacy')
    expect(claims).toMatchObject({
      eat_profile: 'tag:github.com,2023:veraison/ear',
      'ear.verifier-id': { developer: issuer, build: 'vouchsafe/1' },
      submods: {
        cpu0: {
          'ear.status': 'affirming',
          'ear.trustworthiness-vector': { configuration: 2, executables: 3, hardware: 2 },
          'ear.appraisal-policy-id': policyId,
        },
        agent0: { 'ear.status': 'affirming' },
      },
    })
    expect(JSON.stringify(claims)).not.toContain('"ear_')
  })

  test('a workload token has those of 2026 all the same', () =>
    expect(tokenClaims(agent, planned('workload'), 'legacy')).toEqual(
      tokenClaims(agent, planned('workload'), '2026'),
    ))
})

describe.each(forms)('of form %s', (form) => {
  const claimsOf = (change: Partial<typeof agent>, token = planned(form)) =>
    tokenClaims({ ...agent, ...change }, token, '2026')

  test('names scopes where there are any, with spaces between them', () => {
    const scopes = ['secret:db-ro', 'model:llama']
    expect(claimsOf({}, planned(form, { scopes }))).toHaveProperty(
      'scope',
      'secret:db-ro model:llama',
    )
    expect(claimsOf({})).not.toHaveProperty('scope')
  })

  test('gives a relying party its nonce back, and the hardware its own', () => {
    const claims = claimsOf({ relyingPartyNonce: 'from the relying party' })
    expect(claims).toMatchObject({
      eat_nonce: 'from the relying party',
      submods: { cpu0: { eat_nonce: 'challenge' } },
    })
  })

  test('never calls an agent better than its machine', () => {
    const claims = claimsOf({
      result: {
        status: 'contraindicated',
        trustVector: { executables: 3, hardware: 97 },
        assurance: 'simulated',
      },
    })
    expect(claims).toMatchObject({
      ear_status: 'contraindicated',
      submods: { agent0: { ear_status: 'contraindicated' } },
    })
  })

  test('says nothing about an agent of whose software nothing was appraised', () => {
    const claims = claimsOf({
      result: { status: 'affirming', trustVector: { hardware: 2 }, assurance: 'hardware' },
    })
    expect(claims).toMatchObject({
      submods: { agent0: { ear_status: 'none', ear_trustworthiness_vector: {} } },
    })
  })

  test('tells eight layers at most, what the hardware vouches for first, and how many it leaves out', () => {
    const claimed = Array.from(
      { length: 20 },
      (_, n): Layer => ({
        subject: `artifact:a${n}`,
        digest: 'd',
        bound: 'claimed',
        through: undefined,
      }),
    )
    const launch: Layer = { subject: 'launch', digest: 'd', bound: 'hardware', through: 'mrTd' }
    expect(claimsOf({ layers: [...claimed, launch] })).toMatchObject({
      submods: {
        agent0: {
          att_layers: [
            { subject: 'launch' },
            ...claimed.slice(0, 7).map(({ subject }) => ({ subject })),
          ],
          att_layers_untold: 13,
        },
      },
    })
  })
})

test.each([
  ['possession', true],
  ['workload', true],
  ['federation', false],
] as const)('an encryption key is named in a token of form %s: %s', (form, named) => {
  const claims = { ...agent.claims, enc_jkt: 'enc' }
  expect('enc_jkt' in tokenClaims({ ...agent, claims }, planned(form), '2026')).toBe(named)
})

describe('a subject', () => {
  const named = { issuer, tenant: 'acme', release: agent.release }

  test('of simulated evidence is no SPIFFE ID', () =>
    expect(subjectOf({ ...named, assurance: 'simulated' })).toBe(`simulated:${sub}`))

  test('does not name the port of the issuer', () =>
    expect(
      subjectOf({ ...named, issuer: 'https://h.example:8443/t/acme', assurance: 'hardware' }),
    ).toMatch(/^spiffe:\/\/h\.example\/t\//))
})

describe('a lifetime is that of the rule', () => {
  test.each([
    ['possession', '', 60, 60],
    ['possession', '', 86_400, 900],
    ['workload', '', 86_400, 900],
    ['federation', '', 86_400, 300],
    ['possession', 'a session', 86_400, 120],
    ['federation', 'a session', 86_400, 120],
    ['federation', 'a session', 30, 30],
  ] as const)('%s in session "%s": of %i s %i', (form, session, ruleSeconds, seconds) =>
    expect(lifetimeSeconds(form, { ruleSeconds, session })).toBe(seconds),
  )
})
