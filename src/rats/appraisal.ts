/** From evidence to a result: authenticate, compare with a reference value, and say what may be concluded. */
import {
  type Authentic,
  type Authentication,
  authenticate,
  type Conditions,
} from './authentication.ts'
import { type Finding, judgeAll, notReached, type Waivers } from './check.ts'
import type { Evidence } from './evidence.ts'
import type { AnyTee, Claims, Endorsed, Tee } from './tee.ts'
import {
  type Assurance,
  type Status,
  statusOf,
  type TrustVector,
  trustVector,
} from './trust-vector.ts'

export interface Appraisal {
  readonly tee: string
  readonly status: Status
  readonly trustVector: TrustVector
  /** Exactly the TEE's check ids, in order, whatever the evidence. */
  readonly findings: readonly Finding[]
  /** Empty unless the evidence is authentic: unauthenticated fields are nobody's claims. Written out only when read. */
  readonly claims: Claims
  readonly assurance: Assurance | undefined
}

/** `reference` undefined means that nothing is expected beyond what the core checks demand of everybody. */
export function verify<E, N extends Endorsed, R>(
  tee: Tee<E, N, R>,
  evidence: Evidence,
  conditions: Conditions,
  reference: R = tee.noReference,
): Appraisal {
  return conclude(tee, authenticate(tee, evidence, conditions), conditions.waivers, reference)
}

/** The second half of `verify`, for one authentication that is compared with several reference values in turn. */
export function conclude<E, N extends Endorsed, R>(
  tee: Tee<E, N, R>,
  { findings, authentic }: Authentication<E, N>,
  waivers: Waivers,
  reference: R,
): Appraisal {
  const appraised = authentic
    ? appraise(tee, authentic, waivers, reference)
    : tee.appraise.map((check) => notReached(check))
  const all = [...findings, ...appraised]
  const assurance = authentic?.assurance
  const vector = trustVector({ findings: all, assurance })
  return {
    tee: tee.name,
    status: statusOf(vector),
    trustVector: vector,
    findings: all,
    get claims() {
      return authentic ? tee.claims(authentic.evidence, authentic.endorsement) : {}
    },
    assurance,
  }
}

export function appraise<E, N extends Endorsed, R>(
  tee: Tee<E, N, R>,
  authentic: Authentic<E, N>,
  waivers: Waivers,
  reference: R,
): readonly Finding[] {
  const { evidence, endorsement, at } = authentic
  return judgeAll(tee.appraise, { evidence, endorsement, at, reference }, waivers)
}

/** Every check id of a TEE, in the order in which findings list them. */
export function checkIds(tee: AnyTee): readonly string[] {
  return [...tee.structure, ...tee.authenticate, ...tee.appraise].map(({ id }) => id)
}
