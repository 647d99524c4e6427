/**
 * AR4SI trustworthiness claims (draft-ietf-rats-ar4si, section 2.3) computed from findings. Status can only fall:
 * a claim affirms when every check that informs it passed or does not apply, and the whole is as good as its worst claim.
 */
import type { Finding } from './check.ts'

export const claimNames = [
  'instance-identity',
  'configuration',
  'executables',
  'file-system',
  'hardware',
  'runtime-opaque',
  'storage-opaque',
  'sourced-data',
] as const
export type Claim = (typeof claimNames)[number]

/** Only claims that were appraised appear: an absent claim says nothing (AR4SI "none"). */
export type TrustVector = Readonly<Partial<Record<Claim, number>>>

export type Status = 'affirming' | 'warning' | 'contraindicated' | 'none'

export type Assurance = 'hardware' | 'simulated'

const AFFIRMING = 2
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
const SIMULATED: TrustVector = { hardware: 97, 'runtime-opaque': 96 }

export interface Examined {
  readonly findings: readonly Finding[]
  /** Undefined when evidence was not authenticated. */
  readonly assurance: Assurance | undefined
}

export function trustVector({ findings, assurance }: Examined): TrustVector {
  const vector: Partial<Record<Claim, number>> = {}
  for (const { informs, outcome } of findings) {
    if (outcome === 'not-applicable') continue
    const value = assurance === undefined ? CRYPTOGRAPHY_FAILED : tierOf(informs, outcome)
    vector[informs] = Math.max(vector[informs] ?? 0, value)
  }
  if (assurance === 'simulated')
    for (const [claim, value] of Object.entries(SIMULATED) as [Claim, number][])
      vector[claim] = Math.max(vector[claim] ?? 0, value)
  return vector
}

/** AR4SI tiers: 2..31 affirming, 32..95 warning, 96 and above contraindicated. */
export function statusOf(vector: TrustVector): Status {
  const values = Object.values(vector)
  if (values.length === 0) return 'none'
  const worst = Math.max(...values)
  if (worst >= 96) return 'contraindicated'
  return worst >= 32 ? 'warning' : 'affirming'
}

function tierOf(claim: Claim, outcome: Exclude<Finding['outcome'], 'not-applicable'>): number {
  switch (outcome) {
    case 'pass':
      return AFFIRMING
    case 'waived':
      return WARNING
    case 'fail':
    case 'not-reached':
      return CONTRAINDICATED[claim]
  }
}
