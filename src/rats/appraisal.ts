/** From evidence to a result: authenticate, compare with a reference value, and say what may be concluded. */
import {
  type Authentic,
  type Authentication,
  authenticate,
  type Conditions,
} from './authentication.ts'
import { checklist, type Finding, judgeAll, reachNone, type Waivers } from './check.ts'
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
  { findings: before, authentic }: Authentication<E, N>,
  waivers: Waivers,
  reference: R,
): Appraisal {
  const appraised: Finding[] = []
  if (authentic) appraise(tee, authentic, { reference, waivers, findings: appraised })
  else reachNone(checklist(tee.appraise), appraised)
  const findings = before.concat(appraised)
  const assurance = authentic?.assurance
  const vector = trustVector({ findings, assurance })
  return new Concluded(
    { tee: tee.name, status: statusOf(vector), trustVector: vector, findings, assurance },
    () => (authentic ? tee.claims(authentic.evidence, authentic.endorsement) : {}),
  )
}

/** A class, because a getter in an object literal makes V8 a new shape at every call, and those cost more than the checks. */
class Concluded implements Appraisal {
  readonly tee: string
  readonly status: Status
  readonly trustVector: TrustVector
  readonly findings: readonly Finding[]
  readonly assurance: Assurance | undefined
  readonly #claims: () => Claims

  constructor(facts: Omit<Appraisal, 'claims'>, claims: () => Claims) {
    this.tee = facts.tee
    this.status = facts.status
    this.trustVector = facts.trustVector
    this.findings = facts.findings
    this.assurance = facts.assurance
    this.#claims = claims
  }

  get claims(): Claims {
    return this.#claims()
  }
}

function appraise<E, N extends Endorsed, R>(
  tee: Tee<E, N, R>,
  { evidence, endorsement, at }: Authentic<E, N>,
  { reference, waivers, findings }: { reference: R; waivers: Waivers; findings: Finding[] },
): void {
  judgeAll(checklist(tee.appraise), { evidence, endorsement, at, reference }, waivers, findings)
}

/** Every check id of a TEE, in the order in which findings list them. */
export function checkIds(tee: AnyTee): readonly string[] {
  return [...tee.structure, ...tee.authenticate, ...tee.appraise].map(({ id }) => id)
}
