/** What is kept of an attestation, so that it can be explained, and decided again under another policy. */
import type { EndorsementParts, Endorsements } from '../rats/endorsements.ts'
import type { Decision, Matter } from './decision.ts'
import type { AppraisalRecord, KeptEndorsements, RecordedFinding } from './ports.ts'
import type { Call } from './verifier.ts'

export interface Concluded {
  readonly id: string
  readonly decision: Decision
  /** When the token ends; undefined where none was issued. */
  readonly tokenEnds: Date | undefined
  readonly call: Call
}

export function recordOf(
  { tenant, tee, release, policy, claims, audience, evidence, conditions }: Matter,
  { id, decision, tokenEnds, call }: Concluded,
): AppraisalRecord {
  const { referenceValue, accepted } = decision.match
  return {
    id,
    requestId: call.requestId,
    at: call.at,
    tenant: tenant.name,
    environment: release.environment,
    agent: release.agent,
    audience,
    tee: tee.name,
    verdict: tokenEnds ? 'issued' : 'refused',
    status: decision.status,
    trustVector: decision.trustVector,
    findings: decision.findings.map(
      ({ cites: _, informs: __, ...finding }): RecordedFinding => finding,
    ),
    policyCommit: policy.commit,
    policyDigest: policy.digest,
    manifest: release.manifest.file,
    manifestProvenance: policy.provenanceOf(release.manifest.file),
    referenceValue: referenceValue && {
      id: referenceValue.id,
      line: referenceValue.line,
      isMatched: accepted,
    },
    layers: decision.layers,
    runtimeClaims: claims,
    evidence,
    endorsementsDigest: conditions.endorsements.digest,
    token: tokenEnds && { jti: id, expiresAt: tokenEnds },
  }
}

/** The largest recorded set has 25 KiB. What a stranger piles up beyond that is judged, and not kept. */
const MOST_KEPT_BYTES = 128 * 1024

export function keptEndorsements({ digest, ...parts }: Endorsements): KeptEndorsements | undefined {
  return sizeOf(parts) > MOST_KEPT_BYTES ? undefined : { digest, parts }
}

function sizeOf({ certificates, crls, tcbInfos, qeIdentities }: EndorsementParts): number {
  const pieces = [
    ...certificates,
    ...crls,
    ...[...tcbInfos, ...qeIdentities].flatMap(({ body, signature, issuerChain }) => [
      body,
      signature,
      ...issuerChain,
    ]),
  ]
  return pieces.reduce((total, { length }) => total + length, 0)
}
