/** One attested agent and one planned token of each form, as far as claims are made of them. */
import type { TokenForm } from '#src/rats/release.ts'
import type { AttestedAgent, PlannedToken } from '#src/token/claims.ts'
import { subjectOf } from '#src/token/subject.ts'

const issuer = 'https://attest.example.com/t/acme'
/** Not on a whole second: tokens speak of whole ones only. */
const AT = new Date('2026-06-01T00:00:00.900Z')

export const agent: AttestedAgent = {
  appraisal: 'the-appraisal',
  issuer,
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
    verifier: issuer,
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
  jwk: { kty: 'EC', crv: 'P-256', x: 'X', y: 'Y' },
  relyingPartyNonce: undefined,
  result: {
    status: 'affirming',
    trustVector: { configuration: 2, executables: 3, hardware: 2 },
    assurance: 'hardware',
  },
  hardware: 'AMD_SEV_SNP_MILAN',
  measurement: 'aa',
  leaf: '1ea7',
}

export function planned(form: TokenForm, change: Partial<PlannedToken> = {}): PlannedToken {
  const { assurance } = agent.result
  return {
    form,
    jti: 'the-jti',
    subject: subjectOf({ issuer, tenant: 'acme', release: agent.release, assurance }),
    audience: 'kms.example',
    scopes: [],
    issuedAt: AT,
    expiresAt: new Date('2026-06-01T00:04:00Z'),
    status: { uri: `${issuer}/status-lists/7`, index: 41 },
    ...change,
  }
}
