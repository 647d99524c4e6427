/**
 * Did evidence prove anything about whoever sent it? What is malformed, signed by nobody or bound to another request costs its
 * sender nothing, so that any number may come; and whatever the policy, it is refused again.
 */
import { bindingChecks } from '../rats/binding.ts'
import { recordedTees } from '../tee/registry.ts'
import type { AppraisalRecord, RecordedFinding } from './ports.ts'

/** Of a decision: whether its evidence is worth keeping. A recorded quote is authentic for ever, and anybody may have one. */
export function isProven({
  isAuthentic,
  findings,
}: {
  readonly isAuthentic: boolean
  readonly findings: readonly Pick<RecordedFinding, 'id' | 'outcome'>[]
}): boolean {
  return isAuthentic && !findings.some((finding) => hasFailed(finding) && binding.has(finding.id))
}

/** Of a record: whether it failed a check of structure, authenticity or binding that nobody can waive. */
export function isForged({
  tee: name,
  findings,
}: Pick<AppraisalRecord, 'tee' | 'findings'>): boolean {
  const ids = grave.get(name) ?? binding
  return findings.some((finding) => hasFailed(finding) && ids.has(finding.id))
}

const binding: ReadonlySet<string> = new Set(bindingChecks.map(({ id }) => id))

/** By the TEE's name. */
const grave: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  recordedTees.map(({ name, structure, authenticate }) => [
    name,
    new Set([
      ...binding,
      ...structure.map(({ id }) => id),
      ...authenticate.filter(({ waivable }) => !waivable).map(({ id }) => id),
    ]),
  ]),
)

function hasFailed({ outcome }: Pick<RecordedFinding, 'outcome'>): boolean {
  return outcome === 'fail'
}
