/** The claims of a token: its subject comes from the release, its life from the policy, its truth from the appraisal. */
import { describe, expect, test } from 'vitest'
import { type EarSubject, earClaims } from '#src/token/ear.ts'

const subject: EarSubject = {
  issuer: 'https://attest.example.com/t/acme',
  at: new Date('2026-06-01T00:00:00.900Z'),
  jti: 'id',
  audience: 'kms.example',
  ttlSeconds: 240,
  build: 'vouchsafe/1',
  tenant: 'acme',
  release: {
    environment: 'prod',
    agent: 'invoice-bot',
    version: '1.8.0',
    generation: 42,
    notBefore: new Date(0),
    notAfter: new Date(1),
    referenceValues: [],
    waivers: new Map(),
    rules: [],
    artifacts: [],
    models: [],
    runtime: undefined,
    runtimeConfig: undefined,
    manifest: { file: 'agents/prod/invoice-bot.yaml', sha256: 'ff' },
  },
  referenceValue: { id: 'milan', line: 12, lines: {}, tee: 'sev-snp', reference: {} },
  layers: [
    { subject: 'launch', digest: 'sha384:aa', bound: 'hardware', through: 'measurement' },
    { subject: 'artifact:image', digest: 'sha256:bb', bound: 'claimed', through: undefined },
  ],
  policy: { commit: 'c', digest: 'sha256:00' },
  claims: {
    nonce: 'challenge',
    verifier: 'https://attest.example.com/t/acme',
    sig_jkt: 'sig',
    enc_jkt: '',
    tenant: 'acme',
    // What the agent says of itself never becomes the subject.
    agent: 'somebody-else',
    environment: 'elsewhere',
    session: '',
    seq: '0',
    transcript: '',
  },
  result: { status: 'affirming', trustVector: { hardware: 2 }, assurance: 'hardware' },
}

test('a whole token, written out', () =>
  expect(earClaims(subject)).toEqual({
    iss: 'https://attest.example.com/t/acme',
    sub: 'spiffe://attest.example.com/t/acme/env/prod/agent/invoice-bot',
    aud: 'kms.example',
    client_id: 'spiffe://attest.example.com/t/acme/env/prod/agent/invoice-bot',
    iat: 1780272000,
    exp: 1780272240,
    jti: 'id',
    cnf: { jkt: 'sig' },
    tenant: 'acme',
    eat_profile: 'tag:ietf.org,2026:rats/ear#03',
    ear_verifier_id: { developer: 'https://attest.example.com/t/acme', build: 'vouchsafe/1' },
    ear_status: 'affirming',
    submods: {
      cpu: {
        ear_status: 'affirming',
        ear_trustworthiness_vector: { hardware: 2 },
        ear_appraisal_policy_ids: ['https://attest.example.com/t/acme/policies/acme@sha256:00'],
        eat_nonce: 'challenge',
      },
    },
    att_tee: 'sev-snp',
    att_assurance: 'hardware',
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
    att_layers: [
      { subject: 'launch', digest: 'sha384:aa', bound: 'hardware', through: 'measurement' },
      { subject: 'artifact:image', digest: 'sha256:bb', bound: 'claimed', through: null },
    ],
    att_policy: { commit: 'c', digest: 'sha256:00' },
  }))

describe('limits', () => {
  test('no token lives longer than 300 seconds, whatever asks for it', () => {
    const { exp, iat } = earClaims({ ...subject, ttlSeconds: 86_400 })
    expect(exp - Number(iat)).toBe(300)
  })

  test('the subject of simulated evidence is no SPIFFE ID', () => {
    const simulated = { ...subject.result, assurance: 'simulated' } as const
    expect(earClaims({ ...subject, result: simulated }).sub).toMatch(/^simulated:spiffe:/)
  })

  test('an encryption key is named when there is one', () =>
    expect(earClaims({ ...subject, claims: { ...subject.claims, enc_jkt: 'enc' } })).toHaveProperty(
      'enc_jkt',
      'enc',
    ))

  test('a port is part of the issuer and not of the subject', () =>
    expect(earClaims({ ...subject, issuer: 'http://127.0.0.1:8080/simulated' }).sub).toMatch(
      /^spiffe:\/\/127\.0\.0\.1\/t\//,
    ))
})
