/** An issuer whose own evidence is good in everything but what a test says otherwise. */
import { createHash } from 'node:crypto'
import { simulatedSnp, simulatedTdx } from '../../enclave/simulator/agent.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { anchorSet } from '../../src/pki/anchor.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { endorsements } from '../../src/rats/endorsements.ts'
import { proofCache } from '../../src/rats/proof-cache.ts'
import type { Assurance } from '../../src/rats/trust-vector.ts'
import {
  type VerifierClaims,
  verifierClaimsText,
  verifierReportDataOf,
} from '../../src/rats/verifier-claims.ts'
import {
  type AnsweredIssuer,
  type IssuerConditions,
  judgeIssuer,
} from '../../src/service/judge-issuer.ts'

export const AT = new Date('2026-06-01T00:00:00Z')
export const ISSUER = 'https://verifier.example/t/acme'
const request = { chance: seededChance('an issuer'), issued: new Date('2026-05-20T00:00:00Z') }
export const snp = simulatedSnp(request)
export const tdx = simulatedTdx(request)
export const measurement = new Uint8Array(48).fill(0x5e)
export const jwks = '{"keys":[]}'
export const bundle = '{"keys":[],"spiffe_sequence":1}'
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

export const goodClaims: VerifierClaims = {
  nonce: 'n'.repeat(43),
  issuer: ISSUER,
  jwks_sha256: sha256(jwks),
  spiffe_bundle_sha256: sha256(bundle),
  log_key: 'verifier.example/log+12345678+AAAA',
  policy_digest: `sha256:${'ab'.repeat(32)}`,
  build: 'vouchsafe/1',
  keys: 'in-tee',
  time: AT.toISOString(),
}

export interface Told {
  readonly claims?: Partial<VerifierClaims>
  /** In place of the canonical text. */
  readonly text?: (text: string) => string
  readonly reportData?: (text: string) => Uint8Array
  readonly asked?: Partial<AnsweredIssuer['asked']>
  readonly published?: Partial<AnsweredIssuer['published']>
  readonly carried?: string
  readonly expected?: ReadonlyMap<string, Uint8Array>
  readonly waivers?: ReadonlyMap<string, string>
  /** Default: the SNP one. */
  readonly platform?: typeof snp | typeof tdx
}

/** A good issuer, but for what is told otherwise. */
export function judged(told: Told = {}, assurance: Assurance = 'hardware') {
  const canonical = verifierClaimsText({ ...goodClaims, ...told.claims })
  const text = told.text?.(canonical) ?? canonical
  const reportData = (told.reportData ?? verifierReportDataOf)(text)
  const { platform = snp } = told
  const answered: AnsweredIssuer = {
    asked: {
      issuer: ISSUER,
      nonce: goodClaims.nonce,
      at: AT,
      policyDigest: goodClaims.policy_digest,
      ...told.asked,
    },
    answer: {
      claims: text,
      tee: platform.tee,
      evidence: platform.attest({ reportData, measurement }),
      endorsements: platform.endorsements,
      jwks: told.carried ?? jwks,
    },
    published: {
      discoveryIssuer: ISSUER,
      jwks: Buffer.from(jwks),
      spiffeBundle: Buffer.from(bundle),
      logKey: goodClaims.log_key,
      ...told.published,
    },
  }
  const conditions: IssuerConditions = {
    at: AT,
    anchors: anchorSet(
      platform.anchors.map(({ der, product }) => ({
        certificate: decodeCertificate(der),
        product,
        assurance,
      })),
    ),
    endorsements: endorsements(platform.endorsements),
    waivers: new Map(),
    proofs: proofCache(8),
    expected: told.expected ?? new Map([['measurement', measurement]]),
    verifierWaivers: told.waivers ?? new Map(),
  }
  return judgeIssuer(answered, conditions)
}

export const failing = ({ appraisal }: ReturnType<typeof judged>) =>
  appraisal.findings.flatMap(({ id, outcome }) => (outcome === 'fail' ? [id] : []))
