/** Evidence and endorsements as a request brings them, and which TEE is meant. */
import { Problem } from '../problems.ts'
import type { EndorsementParts } from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AnyTee } from '../rats/tee.ts'
import { teeByName, teeOf, tees } from '../tee/registry.ts'

export interface ReceivedEvidence {
  /** Name of the TEE, where the caller says which; else the bytes decide. */
  readonly tee: string | undefined
  readonly evidence: Evidence
  readonly endorsements: EndorsementParts
}

/** Throws Problem('evidence-unrecognised'). */
export function teeOfEvidence({ tee, evidence }: ReceivedEvidence): AnyTee {
  const found = tee === undefined ? teeOf(evidence.quote) : teeByName(tee)
  if (found) return found
  const known = tees.map(({ name }) => name).join(', ')
  throw new Problem(
    'evidence-unrecognised',
    tee === undefined
      ? `evidence.quote (${evidence.quote.length} bytes) begins like none of ${known}`
      : `tee "${tee}" is none of ${known}`,
  )
}
