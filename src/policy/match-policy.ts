/**
 * Which releases of a whole policy accept this evidence? By look-up of its launch and configuration, so that it costs the
 * same among ten releases and among ten thousand: every candidate that is left is compared in full.
 */
import { type Appraisal, conclude } from '../rats/appraisal.ts'
import type { Authentication } from '../rats/authentication.ts'
import type { Waivers } from '../rats/check.ts'
import type { AnyTee } from '../rats/tee.ts'
import type { LaunchIndex, Launching } from './launch-index.ts'
import { refuses } from './match-release.ts'

export interface Accepting extends Launching {
  readonly appraisal: Appraisal
}

/**
 * Every release and reference value that accepts it, in the order of the policy. Says nothing about a release's validity in
 * time, its audiences, revocations and rules. `authentication` may have been made under any waivers: a release that does
 * not waive what was waived for it does not accept it.
 */
export function matchPolicy(
  policy: Pick<LaunchIndex, 'candidates'>,
  tee: AnyTee,
  // Any: the evidence and endorsement types are this TEE's own, which defineTee keeps consistent.
  // biome-ignore lint/suspicious/noExplicitAny: an existential type, which TypeScript cannot write
  authentication: Authentication<any, any>,
): readonly Accepting[] {
  const { authentic, findings } = authentication
  if (!authentic) return []
  const waived = findings.flatMap(({ id, outcome }) => (outcome === 'waived' ? [id] : []))
  const identity = tee.identify(authentic.evidence, authentic.endorsement)
  return policy.candidates(tee.name, identity).flatMap(({ release, referenceValue }) => {
    if (!waivesAll(waived, tee, release.waivers)) return []
    const appraisal = conclude(tee, authentication, release.waivers, referenceValue.reference)
    return appraisal.findings.some(refuses) ? [] : [{ release, referenceValue, appraisal }]
  })
}

function waivesAll(ids: readonly string[], { authenticate }: AnyTee, waivers: Waivers): boolean {
  return ids.every((id) => {
    const group = authenticate.find((check) => check.id === id)?.waivable
    return waivers.has(id) || (group !== undefined && waivers.has(group))
  })
}
