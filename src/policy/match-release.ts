/** Which reference value of a release does this evidence match, as a whole? And if none, which came nearest? */
import { type Appraisal, conclude } from '../rats/appraisal.ts'
import type { Authentication } from '../rats/authentication.ts'
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
    const failing = failures(appraisal)
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
function failures({ findings }: Appraisal): number {
  return findings.filter(({ outcome }) => outcome === 'fail' || outcome === 'not-reached').length
}
