/** Is this evidence what it says it is? Structure, then chain, revocation and signature, in sequence. */
import type { AnchorSet } from '../pki/anchor.ts'
import {
  type Check,
  type Finding,
  firstFailure,
  judgeInSequence,
  notReached,
  refuse,
  type Waivers,
} from './check.ts'
import type { Endorsements } from './endorsements.ts'
import type { Evidence } from './evidence.ts'
import type { ProofCache } from './proof-cache.ts'
import type { Decoding, Endorsed, Presented, Tee } from './tee.ts'
import type { Assurance } from './trust-vector.ts'

export interface Conditions {
  readonly at: Date
  readonly anchors: AnchorSet
  readonly endorsements: Endorsements
  readonly waivers: Waivers
  readonly proofs: ProofCache
}

declare const authenticated: unique symbol

/** Evidence that passed every authentication check under some conditions. Only `authenticate` makes one. */
export type Authentic<E, N extends Endorsed> = Presented<E, N> & {
  readonly assurance: Assurance
  readonly [authenticated]: true
}

export interface Authentication<E, N extends Endorsed> {
  /** Exactly the ids of `structure` and `authenticate`, in order. */
  readonly findings: readonly Finding[]
  /** Present if and only if no finding failed and an anchor was reached. */
  readonly authentic: Authentic<E, N> | undefined
}

export function authenticate<E, N extends Endorsed, R>(
  tee: Tee<E, N, R>,
  evidence: Evidence,
  conditions: Conditions,
): Authentication<E, N> {
  const decoding = tee.decode(evidence)
  const structure = judgeInSequence(structureChecks(tee), decoding, conditions.waivers)
  if (!('evidence' in decoding) || firstFailure(structure))
    return {
      findings: [...structure, ...tee.authenticate.map((check) => notReached(check))],
      authentic: undefined,
    }

  const endorsement = tee.endorse(decoding.evidence, conditions)
  const presented = { evidence: decoding.evidence, endorsement, at: conditions.at }
  const judged = judgeInSequence(tee.authenticate, presented, conditions.waivers)
  const { assurance } = endorsement
  const authentic =
    assurance !== undefined && !firstFailure(judged)
      ? // The one place where the brand is given: every structure and authentication check has just passed or been waived.
        ({ ...presented, assurance } as Authentic<E, N>)
      : undefined
  return { findings: [...structure, ...judged], authentic }
}

const structureChecksOf = new WeakMap<object, readonly Check<Decoding<unknown>>[]>()

/** A fault that names no known rule lands on the first one, so that nothing undecodable can pass. */
function structureChecks<E, N extends Endorsed, R>(
  tee: Tee<E, N, R>,
): readonly Check<Decoding<unknown>>[] {
  const known = structureChecksOf.get(tee.structure)
  if (known) return known
  const ids = new Set(tee.structure.map(({ id }) => id))
  const checks = tee.structure.map((rule, index) => ({
    ...rule,
    judge(decoding: Decoding<unknown>) {
      if (!('fault' in decoding)) return true
      const { id, sentence, observed, expected } = decoding.fault
      const mine = ids.has(id) ? id === rule.id : index === 0
      return !mine || refuse(sentence, observed, expected)
    },
  }))
  structureChecksOf.set(tee.structure, checks)
  return checks
}
