/**
 * AR4SI trustworthiness claims (draft-ietf-rats-ar4si, section 2.3) computed from findings. Status can only fall:
 * a claim affirms when every check that informs it passed or does not apply, and the whole is as good as its worst claim.
 */
import type { Finding } from './check.ts'
import { type Claim, claimNames } from './claim.ts'

/** Only claims that were appraised appear: an absent claim says nothing (AR4SI "none"). */
export type TrustVector = Readonly<Partial<Record<Claim, number>>>

export type Status = 'affirming' | 'warning' | 'contraindicated' | 'none'

export type Assurance = 'hardware' | 'simulated'

/** Per claim, the affirming value that says no more than was looked at. */
const AFFIRMING: Readonly<Record<Claim, number>> = {
  'instance-identity': 2,
  configuration: 2,
  // "... have been loaded during the boot process": a launch measurement says nothing about what was loaded afterwards, which
  // is LOADED_APPROVED.
  executables: 3,
  'file-system': 2,
  hardware: 2,
  'runtime-opaque': 2,
  'storage-opaque': 2,
  'sourced-data': 2,
}
/** "... during and after the boot process": only where whatever is loaded is seen, and every check of it passed. */
const LOADED_APPROVED = 2
/** A policy looked at the shortcoming and let it pass, with a reason. */
const WARNING = 32
/** Per claim, the contraindicated value that AR4SI gives to the failure of an authentic attester. */
const CONTRAINDICATED: Readonly<Record<Claim, number>> = {
  'instance-identity': 97,
  configuration: 96,
  executables: 97,
  'file-system': 96,
  hardware: 96,
  'runtime-opaque': 96,
  'storage-opaque': 96,
  'sourced-data': 96,
}
/** "Cryptographic validation of the Evidence has failed": every claim is then worth nothing. */
const CRYPTOGRAPHY_FAILED = 99
/** Not vendor hardware at all. */
const SIMULATED: readonly (readonly [Claim, number])[] = [
  ['hardware', 97],
  ['runtime-opaque', 96],
]

export interface Examined {
  readonly findings: readonly Finding[]
  /** Undefined when evidence was not authenticated. */
  readonly assurance: Assurance | undefined
  /** Whether the running agent is watched, and `findings` judge everything that it loaded. Absent: nobody watches. */
  readonly isLoadingWatched?: boolean | undefined
}

export function trustVector({ findings, assurance, isLoadingWatched }: Examined): TrustVector {
  const tiers = claimNames.map(() => 0)
  for (const { informs, outcome } of findings) {
    if (outcome === 'not-applicable') continue
    const tier = assurance === undefined ? CRYPTOGRAPHY_FAILED : tierOf(informs, outcome)
    const place = placeOf[informs]
    if (tier > (tiers[place] ?? 0)) tiers[place] = tier
  }
  if (assurance === 'simulated')
    for (const [claim, tier] of SIMULATED)
      tiers[placeOf[claim]] = Math.max(tiers[placeOf[claim]] ?? 0, tier)

  const executables = placeOf.executables
  if (isLoadingWatched && tiers[executables] === AFFIRMING.executables)
    tiers[executables] = LOADED_APPROVED

  const vector: Partial<Record<Claim, number>> = {}
  for (const claim of claimNames) {
    const tier = tiers[placeOf[claim]]
    if (tier) vector[claim] = tier
  }
  return vector
}

/** Tiers are gathered by place: growing an object claim by claim cost more than judging half the checks. */
const placeOf: Readonly<Record<Claim, number>> = {
  'instance-identity': 0,
  configuration: 1,
  executables: 2,
  'file-system': 3,
  hardware: 4,
  'runtime-opaque': 5,
  'storage-opaque': 6,
  'sourced-data': 7,
}

/** AR4SI tiers: 2..31 affirming, 32..95 warning, 96 and above contraindicated. */
export function statusOf(vector: TrustVector): Status {
  let worst = 0
  for (const claim of claimNames) worst = Math.max(worst, vector[claim] ?? 0)
  if (worst === 0) return 'none'
  if (worst >= 96) return 'contraindicated'
  return worst >= 32 ? 'warning' : 'affirming'
}

/** None says nothing at all, and is therefore the worst. */
const fromBest: readonly Status[] = ['affirming', 'warning', 'contraindicated', 'none']

export function worseOf(a: Status, b: Status): Status {
  return fromBest.indexOf(a) >= fromBest.indexOf(b) ? a : b
}

function tierOf(claim: Claim, outcome: Exclude<Finding['outcome'], 'not-applicable'>): number {
  switch (outcome) {
    case 'pass':
      return AFFIRMING[claim]
    case 'waived':
      return WARNING
    case 'fail':
    case 'not-reached':
      return CONTRAINDICATED[claim]
  }
}
