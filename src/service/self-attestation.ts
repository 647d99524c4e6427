/**
 * `GET /.well-known/attestation`: the verifier's own evidence, made for the caller's nonce and bound to one issuer, the keys
 * that it publishes, the key of its log and the policy by which it decides. A relying party can so demand that the issuer
 * itself runs in a TEE, and what runs there: docs/self-attestation.md.
 */
import { hash } from 'node:crypto'
import { sameBytes } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { EndorsementParts } from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { VerifierAnswer } from '../rats/verifier-answer.ts'
import {
  type KeyCustody,
  verifierClaimsText,
  verifierReportDataOf,
} from '../rats/verifier-claims.ts'
import { teeByName } from '../tee/registry.ts'
import type { Issuer } from '../token/issuer.ts'
import { spiffeBundle } from '../token/jwk-set.ts'
import { jwksText } from './publish-keys.ts'
import type { Call, Tenant, Verifier } from './verifier.ts'

/** The machine that the service itself runs on, as far as it can vouch for what runs there. */
export interface SelfAttester {
  readonly kind: 'hardware' | 'simulated'
  /** Fresh evidence over these 64 bytes, never kept from another time. Throws Problem. */
  readonly attest: (reportData: Uint8Array) => Promise<SelfEvidence>
}

export interface SelfEvidence {
  /** Name of the TEE, as the registry has it. */
  readonly tee: string
  readonly evidence: Evidence
  /** As far as they are held: for what is missing, the relying party asks the vendor. */
  readonly endorsements: EndorsementParts
}

export interface SelfAttesting {
  /** Undefined: this machine has no TEE that it could speak for. */
  readonly attester: SelfAttester | undefined
  /** Where the key-encryption key is held. */
  readonly keys: KeyCustody
}

/** For a service that nobody told where it runs. */
export const nothingToShow: SelfAttesting = {
  attester: undefined,
  keys: 'sealed-outside',
}

export interface SelfAttestationRequest {
  readonly tenant: Tenant
  readonly issuer: Issuer
  /** base64url, as the caller wrote it. */
  readonly nonce: string
}

export const NO_TEE =
  'this machine has no TEE that could speak for the verifier: there is no configfs-tsm report interface'

/** Throws Problem: `self-attestation-unavailable`, `self-attestation-failed`, `storage-unavailable`. */
export async function attestSelf(
  verifier: Verifier,
  { attester, keys }: SelfAttesting,
  { tenant, issuer, nonce, at }: SelfAttestationRequest & Pick<Call, 'at'>,
): Promise<VerifierAnswer> {
  if (!attester) throw new Problem('self-attestation-unavailable', NO_TEE)
  const jwks = jwksText(issuer)
  const claims = verifierClaimsText({
    nonce,
    issuer: issuer.url,
    jwks_sha256: hash('sha256', jwks, 'hex'),
    spiffe_bundle_sha256: hash('sha256', JSON.stringify(spiffeBundle(issuer)), 'hex'),
    log_key: await verifier.log.verifierKey(),
    policy_digest: tenant.policy.accepted()?.digest ?? '',
    build: verifier.build,
    keys,
    time: at.toISOString(),
  })
  const reportData = verifierReportDataOf(claims)
  const made = await attester.attest(reportData)
  assertFresh(made, reportData)
  return { ...made, claims, jwks }
}

/** A machine that answers with another's report, or an earlier one, is told here and not first by every relying party. */
function assertFresh(made: SelfEvidence, reportData: Uint8Array): void {
  const tee = teeByName(made.tee)
  const decoding = tee?.decode(made.evidence)
  const bound = tee && decoding && 'evidence' in decoding ? tee.bind(decoding.evidence) : undefined
  if (bound && sameBytes(bound, reportData)) return
  throw new Problem(
    'self-attestation-failed',
    bound
      ? 'the machine’s report is about other data than was asked for'
      : `the machine’s report does not read as ${made.tee} evidence`,
    { retryAfterSeconds: 1 },
  )
}
