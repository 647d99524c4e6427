/** Why did an attestation end as it did? Everything that was kept of it, and what became of its tokens and of its place in the log. */

import { type Difference, differencesOf } from '../policy/match-release.ts'
import { releaseChecks } from '../policy/release-checks.ts'
import { revocationChecks } from '../policy/revocation-checks.ts'
import { runtimeChecks } from '../policy/runtime/runtime-checks.ts'
import { Problem } from '../problems.ts'
import { bindingChecks } from '../rats/binding.ts'
import { type Finding, firstFailure } from '../rats/check.ts'
import { recordedTeeByName, recordedTees } from '../tee/registry.ts'
import { appraisalNamedBy } from './appraisal-id.ts'
import type { LeafPlace } from './log-ports.ts'
import type { AppraisalRecord, RecordedFinding } from './ports.ts'
import { adviceAt, type Stage, stageOf } from './refusal.ts'
import type { KnownToken } from './token-ports.ts'
import type { Verifier } from './verifier.ts'

export interface ExplainedAppraisal {
  readonly record: AppraisalRecord
  readonly findings: readonly Finding[]
  /** Undefined where it was not refused. */
  readonly refusal: RecordedRefusal | undefined
  readonly tokens: readonly KnownToken[]
  /** Undefined where the log does not know the leaf, which it should. */
  readonly leaf: LeafPlace | undefined
}

export interface RecordedRefusal {
  readonly stage: Stage
  readonly failing: readonly string[]
  readonly sentence: string
  readonly advice: string
  /** By which fields the evidence differs from the nearest reference value; none where that policy holds no longer. */
  readonly fields: readonly Difference[]
}

/** `name`: the id of the appraisal, or of the request that it was made in. Throws Problem('appraisal-unknown'). */
export async function explainAppraisal(
  verifier: Pick<Verifier, 'store' | 'tenants'>,
  name: string,
): Promise<ExplainedAppraisal> {
  const record = await recordNamed(verifier, name)
  const findings = record.findings.map((finding) => explained(finding, record))
  const [tokens, leaf] = await Promise.all([
    verifier.store.tokensOf(record.id),
    verifier.store.leafPlace(new Uint8Array(Buffer.from(record.leafHash, 'hex'))),
  ])
  return {
    record,
    findings,
    refusal: record.verdict === 'refused' ? refusalOf(verifier, record, findings) : undefined,
    tokens,
    leaf,
  }
}

/** Throws Problem('appraisal-unknown'). */
async function recordNamed(
  { store }: Pick<Verifier, 'store'>,
  name: string,
): Promise<AppraisalRecord> {
  const record = await store.findAppraisal(appraisalNamedBy(name) ?? name)
  if (record) return record
  throw new Problem('appraisal-unknown', 'no appraisal that is kept has this id or request id')
}

type Stated = Pick<Finding, 'id' | 'cites' | 'informs'>

const checks: ReadonlyMap<string, Stated> = new Map(
  [
    ...recordedTees.flatMap((tee) => [...tee.structure, ...tee.authenticate, ...tee.appraise]),
    ...bindingChecks,
    ...releaseChecks,
    ...revocationChecks,
    ...runtimeChecks,
  ].map((check): readonly [string, Stated] => [check.id, check]),
)

/** What is no check of this program's was a rule of the policy, which may have changed since. */
function explained(finding: RecordedFinding, { policyCommit }: AppraisalRecord): Finding {
  const { cites, informs } = checks.get(finding.id) ?? {
    cites: `the policy at commit ${policyCommit}`,
    informs: 'configuration',
  }
  return { ...finding, cites, informs }
}

function refusalOf(
  verifier: Pick<Verifier, 'tenants'>,
  record: AppraisalRecord,
  findings: readonly Finding[],
): RecordedRefusal | undefined {
  const tee = recordedTeeByName(record.tee)
  if (!tee) return undefined
  const failing = findings.filter(({ outcome }) => outcome === 'fail').map(({ id }) => id)
  const first = firstFailure(findings)
  const stage = first ? stageOf(first.id, tee) : 'appraisal'
  return {
    stage,
    failing,
    sentence: first ? `${first.id}: ${first.detail}` : 'nothing was found that lets it pass',
    advice: adviceAt[stage],
    fields: fieldsOf(verifier, record, findings),
  }
}

/** Lines are those of the manifest as it was: they are told only while that very policy is in force. */
function fieldsOf(
  { tenants }: Pick<Verifier, 'tenants'>,
  record: AppraisalRecord,
  findings: readonly Finding[],
): readonly Difference[] {
  const policy = tenants.get(record.tenant)?.policy.accepted()
  const tee = recordedTeeByName(record.tee)
  if (!tee || !record.referenceValue || policy?.digest !== record.policyDigest) return []
  const { id, line } = record.referenceValue
  const referenceValue = policy
    .releaseOf(record.environment, record.agent)
    ?.referenceValues.find((each) => each.id === id && each.line === line)
  if (!referenceValue) return []
  return differencesOf(tee, referenceValue, findings)
}
