/** What is kept of an attestation, so that it can be explained, and decided again under another policy. */
import { askedRules } from '../policy/asked-rules.ts'
import type { Datum } from '../rats/check.ts'
import type { EndorsementParts, Endorsements } from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { Decision, Matter } from './decision.ts'
import type { AppraisalRecord, KeptEndorsements, RecordedFinding } from './ports.ts'
import { isProven } from './proven.ts'
import type { Call } from './verifier.ts'

export interface Concluded {
  readonly id: string
  readonly decision: Decision
  readonly call: Call
}

/** All but the leaf of the log, which is made over this; with all of the evidence. */
export type JudgedRecord = Omit<AppraisalRecord, 'leafHash' | 'evidence'> & {
  readonly evidence: Evidence
}

export function recordOf(
  { tenant, tee, release, policy, claims, binding, audiences, evidence, conditions }: Matter,
  { id, decision, call }: Concluded,
): JudgedRecord {
  const { referenceValue, accepted } = decision.match
  return {
    id,
    requestId: call.requestId,
    at: call.at,
    tenant: tenant.name,
    environment: release.environment,
    agent: release.agent,
    // By name even where the request named none: a rule that is added later must not change what was asked for then.
    audiences: askedRules(release, audiences)?.map(({ audience }) => audience) ?? audiences,
    tee: tee.name,
    verdict: decision.grant ? 'issued' : 'refused',
    status: decision.status,
    trustVector: decision.trustVector,
    findings: recordedFindings(decision),
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
    ...(binding && { binding }),
    evidence,
    endorsementsDigest: conditions.endorsements.digest,
  }
}

/**
 * What goes into the database. Of evidence that proves nothing about its sender only the record, whose leaf has the digests of
 * the rest: else any stranger fills the disk, half a megabyte a request.
 */
export function keptOf(
  record: JudgedRecord,
  { decision, endorsements }: { readonly decision: Decision; readonly endorsements: Endorsements },
): {
  readonly appraisal: Omit<AppraisalRecord, 'leafHash'>
  readonly endorsements: KeptEndorsements | undefined
} {
  return isProven(decision)
    ? { appraisal: record, endorsements: keptEndorsements(endorsements) }
    : { appraisal: { ...record, evidence: undefined }, endorsements: undefined }
}

/** What is signed has the lengths that its vendor gave it; the rest may quote whatever somebody sent. */
function recordedFindings(decision: Decision): readonly RecordedFinding[] {
  const recorded = decision.findings.map(
    ({ cites: _, informs: __, ...finding }): RecordedFinding => finding,
  )
  return isProven(decision) ? recorded : recorded.map(shortened)
}

const MOST_CHARACTERS = 300
const MOST_ITEMS = 8
const MOST_DEPTH = 3

function shortened({ detail, observed, expected, ...finding }: RecordedFinding): RecordedFinding {
  return {
    ...finding,
    ...(detail !== undefined && { detail: shortText(detail) }),
    ...(observed !== undefined && { observed: shortDatum(observed) }),
    ...(expected !== undefined && { expected: shortDatum(expected) }),
  }
}

function shortText(text: string): string {
  return text.length <= MOST_CHARACTERS
    ? text
    : `${text.slice(0, MOST_CHARACTERS)}... (${text.length} characters)`
}

function shortDatum(datum: Datum, depth = 0): Datum {
  if (typeof datum === 'string') return shortText(datum)
  if (!isList(datum)) return datum
  if (depth >= MOST_DEPTH) return `... (${datum.length} items)`
  const kept = datum.slice(0, MOST_ITEMS).map((item) => shortDatum(item, depth + 1))
  return kept.length === datum.length ? kept : [...kept, `... (${datum.length} items)`]
}

/** Array.isArray does not narrow what is readonly. */
function isList(datum: Datum): datum is readonly Datum[] {
  return Array.isArray(datum)
}

/** The largest recorded set has 25 KiB. What a stranger piles up beyond that is judged, and not kept. */
const MOST_KEPT_BYTES = 128 * 1024

function keptEndorsements({ digest, ...parts }: Endorsements): KeptEndorsements | undefined {
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
