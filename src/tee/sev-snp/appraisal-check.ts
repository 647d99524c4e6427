/** The form of an SNP appraisal check, and the answer of one that nobody asked. */
import { type Check, type Judgement, notApplicable } from '../../rats/check.ts'
import type { Claim } from '../../rats/claim.ts'
import type { SnpPlatformBit, SnpPolicyBit, SnpReference } from '../../rats/reference-values.ts'
import type { Compared } from '../../rats/tee.ts'
import type { SnpEndorsement } from './endorse.ts'
import type { SnpEvidence } from './evidence.ts'

export type Subject = Compared<SnpEvidence, SnpEndorsement, SnpReference>
export type SnpCheck = Check<Subject>

export const REPORT = 'AMD 56860 rev. 1.58 table 23'

export function check(
  id: string,
  informs: Claim,
  cites: string,
  judge: SnpCheck['judge'],
  waivable?: SnpCheck['waivable'],
): SnpCheck {
  return { id, informs, cites, judge, ...(waivable && { waivable }) }
}

type FieldPath =
  | keyof SnpReference
  | `guestPolicy.${SnpPolicyBit}`
  | `platformInfo.${SnpPlatformBit}`

/** A check that compares this field: what to look at in the manifest when it fails. */
export function comparing(field: FieldPath, compared: SnpCheck): SnpCheck {
  return { ...compared, compares: field }
}

/** Made once per subject: most expectations are absent in most appraisals. */
const noExpectations = new Map<string, Judgement>()

export function noExpectation(what: string): Judgement {
  let answer = noExpectations.get(what)
  if (!answer) {
    answer = notApplicable(`no expectation is set for ${what}`)
    noExpectations.set(what, answer)
  }
  return answer
}
