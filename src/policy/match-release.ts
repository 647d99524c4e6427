/** Which reference value of a release does this evidence match, as a whole? And if none, which came nearest, and by what does it differ? */
import { type Appraisal, conclude } from '../rats/appraisal.ts'
import type { Authentication } from '../rats/authentication.ts'
import type { Check, Datum, Finding } from '../rats/check.ts'
import type { AgentRelease, ReferenceValue } from '../rats/release.ts'
import type { AnyTee } from '../rats/tee.ts'

export interface Match {
  /** Matched when `accepted`; else the nearest one, or undefined where the release names none of this TEE. */
  readonly referenceValue: ReferenceValue | undefined
  readonly appraisal: Appraisal
  readonly accepted: boolean
}

/**
 * The first reference value without a failing check decides. Nearest is the one with the fewest failing ids, the earlier of
 * two. Without a reference value for this TEE only the core checks are judged, and nothing is accepted.
 */
export function matchRelease(
  release: AgentRelease,
  tee: AnyTee,
  // Any: the evidence and endorsement types are this TEE's own, which defineTee keeps consistent.
  // biome-ignore lint/suspicious/noExplicitAny: an existential type, which TypeScript cannot write
  authentication: Authentication<any, any>,
): Match {
  let nearest: Match | undefined
  let fewest = Number.POSITIVE_INFINITY
  for (const referenceValue of release.referenceValues) {
    if (referenceValue.tee !== tee.name) continue
    const appraisal = conclude(tee, authentication, release.waivers, referenceValue.reference)
    const failing = appraisal.findings.filter(refuses).length
    if (failing === 0) return { referenceValue, appraisal, accepted: true }
    if (failing < fewest) nearest = { referenceValue, appraisal, accepted: false }
    fewest = Math.min(fewest, failing)
  }
  return (
    nearest ?? {
      referenceValue: undefined,
      appraisal: conclude(tee, authentication, release.waivers, tee.noReference),
      accepted: false,
    }
  )
}

/** A check that was never reached answered nothing, which is no better than a failure. */
export function refuses({ outcome }: Finding): boolean {
  return outcome === 'fail' || outcome === 'not-reached'
}

/** One thing by which evidence differs from a reference value, and where the manifest says otherwise. */
export interface Difference {
  /** Id of the check that refused. */
  readonly check: string
  /** Of the reference value, dotted where it nests. */
  readonly field: string
  /** Of the manifest. Where the field is not written, that of what would hold it. */
  readonly line: number
  readonly observed: Datum
  readonly expected: Datum
}

/**
 * What the manifest would have to say for this evidence to match, per failing check that compares a field of the reference
 * value. Checks that no reference value can satisfy (a forged signature, debugging) are not among them.
 */
export function differencesOf(
  tee: AnyTee,
  referenceValue: ReferenceValue,
  findings: readonly Finding[],
): readonly Difference[] {
  const compared = fieldsOf(tee.appraise)
  return findings.flatMap(({ id, outcome, observed = null, expected = null }) => {
    const field = outcome === 'fail' ? compared.get(id) : undefined
    return field === undefined
      ? []
      : [{ check: id, field, line: lineOf(referenceValue, field), observed, expected }]
  })
}

/** Check id to field. */
function fieldsOf(checks: readonly Check<never>[]): ReadonlyMap<string, string> {
  return new Map(
    checks.flatMap(({ id, compares }) => (compares === undefined ? [] : [[id, compares] as const])),
  )
}

/** What is not written stands where it would be written. */
export function lineOf({ line, lines }: ReferenceValue, field: string): number {
  const around = field.slice(0, Math.max(field.indexOf('.'), 0))
  return lineAt(lines, field) ?? lineAt(lines, around) ?? line
}

function lineAt(lines: ReferenceValue['lines'], field: string): number | undefined {
  return Object.hasOwn(lines, field) ? lines[field] : undefined
}
