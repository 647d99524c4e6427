/** What the stores are given to keep: records with everything in them that is awkward to keep. */
import { createHash, randomBytes } from 'node:crypto'
import type { PendingLeaf } from '#src/service/log-ports.ts'
import type { PolicyRecord } from '#src/service/policy-ports.ts'
import type { AppraisalRecord, RecordedAttestation, Store } from '#src/service/ports.ts'
import type { SealedKey, TokenRecord } from '#src/service/token-ports.ts'

export const AT = new Date('2026-06-01T00:00:00.123Z')
export const LATER = new Date('2026-06-01T00:02:00.456Z')
export const DAY = 24 * 3600_000

export const uuid = (n: number) => `00000000-0000-4000-8000-${n.toString().padStart(12, '0')}`

export const evidence = {
  quote: new Uint8Array([0, 1, 255]),
  auxblob: new Uint8Array([2]),
  eventLog: new Uint8Array(70_000).fill(3),
}

export function record(id: string, change: Partial<AppraisalRecord> = {}): AppraisalRecord {
  return {
    id,
    requestId: 'r1',
    at: AT,
    tenant: 'acme',
    environment: 'prod',
    agent: 'invoice-bot',
    audiences: ['kms.example', 'https://sts.example/{x}'],
    tee: 'sev-snp',
    verdict: 'issued',
    status: 'affirming',
    trustVector: { hardware: 2 },
    findings: [
      { id: 'a.b.c', outcome: 'pass' },
      // What an attacker writes into a certificate's name.
      { id: 'a.b.d', outcome: 'fail', detail: 'nul \0, lone \ud800', observed: [1, null, 'x'] },
    ],
    policyCommit: 'c'.repeat(40),
    policyDigest: 'sha256:00',
    manifest: 'agents/prod/invoice-bot.yaml',
    manifestProvenance: { commit: 'b'.repeat(40), principal: 'alice@example.com' },
    referenceValue: { id: 'milan', line: 12, isMatched: true },
    layers: [{ subject: 'launch', digest: 'a1', bound: 'hardware', through: 'measurement' }],
    runtimeClaims: {
      nonce: 'n \0 "\\ {}, \ud800',
      verifier: 'v',
      sig_jkt: 's',
      enc_jkt: '',
      tenant: 'acme',
      agent: 'invoice-bot',
      environment: 'prod',
      session: '',
      seq: '0',
      transcript: '',
    },
    evidence,
    endorsementsDigest: 'd',
    leafHash: 'ab'.repeat(32),
    ...change,
  }
}

/** Another one each time. */
export function leaf(change: Partial<PendingLeaf> = {}): PendingLeaf {
  const entry = new Uint8Array(randomBytes(40))
  return {
    kind: 'issuance',
    entry,
    leafHash: new Uint8Array(createHash('sha256').update('\0').update(entry).digest()),
    salt: new Uint8Array(16).fill(1),
    record: new TextEncoder().encode('{"private":"nul \\u0000"}'),
    tenant: 'acme',
    subject: 'subject',
    ...change,
  }
}

let slots = 0

export function token(appraisal: string, change: Partial<TokenRecord> = {}): TokenRecord {
  slots += 1
  return {
    jti: `jti-${slots.toString().padStart(6, '0')}`,
    appraisal,
    tenant: 'acme',
    environment: 'prod',
    agent: 'invoice-bot',
    form: 'possession',
    issuer: 'https://verifier.example',
    audience: 'kms.example',
    scopes: ['secret:db-ro', 'model:"llama" \\ {small}'],
    jkt: 'thumbprint',
    subject: 'spiffe://verifier.example/prod/invoice-bot',
    issuedAt: AT,
    expiresAt: LATER,
    status: { list: 7777, index: slots },
    session: undefined,
    ...change,
  }
}

let challenges = 0

export function attestation(
  appraisal: AppraisalRecord,
  change: Partial<RecordedAttestation> = {},
): RecordedAttestation {
  challenges += 1
  return {
    challenge: { id: `challenge-${challenges}`, expiresAt: LATER },
    appraisal,
    endorsements: undefined,
    tokens: [],
    leaf: leaf({ subject: appraisal.id }),
    ...change,
  }
}

/** Keeps an appraisal under this challenge. */
export async function keep(
  store: Store,
  challenge: string,
  appraisal: AppraisalRecord,
): Promise<'recorded' | 'challenge-used'> {
  const { challenge: _, ...rest } = attestation(appraisal)
  return await store.recordAttestation({ ...rest, challenge: { id: challenge, expiresAt: LATER } })
}

export function sealed(kid: string, change: Partial<SealedKey> = {}): SealedKey {
  return {
    kid,
    purpose: 'challenge',
    createdAt: AT,
    activeFrom: AT,
    revokedAt: undefined,
    sealed: new Uint8Array([0, 255, 7]),
    ...change,
  }
}

/** The policy of a tenant that nothing else in the contract belongs to. */
export function acceptedPolicy(sequence: number, change: Partial<PolicyRecord> = {}): PolicyRecord {
  return {
    tenant: 'governed',
    sequence,
    commit: `${sequence}`.repeat(40),
    digest: `sha256:${sequence}`,
    marks: { 'agents/prod/ä.yaml': sequence, __proto__x: 1 },
    provenance: {
      'agents/prod/ä.yaml': { commit: '1'.repeat(40), principal: 'alice@example.com' },
      'README.md': { commit: '1'.repeat(40), principal: undefined },
    },
    acceptedAt: new Date(AT.getTime() + sequence * 1000),
    ...change,
  }
}
