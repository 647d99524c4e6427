/** Is this evidence what it says it is? Structure, then chain, revocation and signature, in sequence. */
import type { AnchorSet } from '../pki/anchor.ts'
import {
  type Check,
  type Checklist,
  checklist,
  type Finding,
  judgeInSequence,
  reachNone,
  refuse,
  type Waivers,
} from './check.ts'
import type { Endorsements } from './endorsements.ts'
import type { Evidence } from './evidence.ts'
import type { ProofCache } from './proof-cache.ts'
import { type VerifySignature, verifiedAhead, verifySignature } from './signature-answers.ts'
import type { AnyTee, Decoding, Endorsed, Presented, Tee } from './tee.ts'
import type { Assurance } from './trust-vector.ts'

export interface Conditions {
  readonly at: Date
  readonly anchors: AnchorSet
  readonly endorsements: Endorsements
  readonly waivers: Waivers
  readonly proofs: ProofCache
  /** Default: each signature is verified anew. */
  readonly signatures?: VerifySignature | undefined
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
  const { signatures = verifySignature } = conditions
  return judged(tee, { decoding: tee.decode(evidence), conditions, verifySignature: signatures })
}

/** As `authenticate`, with the same findings; others have their turn while a slow signature is verified. */
export async function authenticateAside<E, N extends Endorsed, R>(
  tee: Tee<E, N, R>,
  evidence: Evidence,
  conditions: Conditions,
): Promise<Authentication<E, N>> {
  const decoding = tee.decode(evidence)
  const question =
    'evidence' in decoding ? tee.slowSignature?.(decoding.evidence, conditions) : undefined
  return judged(tee, {
    decoding,
    conditions,
    verifySignature: question ? await verifiedAhead(question) : verifySignature,
  })
}

function judged<E, N extends Endorsed, R>(
  tee: Tee<E, N, R>,
  {
    decoding,
    conditions,
    verifySignature,
  }: {
    readonly decoding: Decoding<E>
    readonly conditions: Conditions
    readonly verifySignature: VerifySignature
  },
): Authentication<E, N> {
  const findings: Finding[] = []
  const formed = judgeInSequence(structureOf(tee), decoding, conditions.waivers, findings)
  if (!formed || !('evidence' in decoding)) {
    reachNone(checklist(tee.authenticate), findings)
    return { findings, authentic: undefined }
  }

  const endorsement = tee.endorse(decoding.evidence, { ...conditions, verifySignature })
  const { evidence } = decoding
  const presented = { evidence, endorsement, at: conditions.at, verifySignature }
  const checks = checklist(tee.authenticate)
  const passed = judgeInSequence(checks, presented, conditions.waivers, findings)
  const { assurance } = endorsement
  const authentic =
    passed && assurance !== undefined
      ? // The one place where the brand is given: every structure and authentication check has just passed or been waived.
        ({ ...presented, assurance } as Authentic<E, N>)
      : undefined
  return { findings, authentic }
}

const structures = new WeakMap<object, Checklist<Decoding<unknown>>>()

/** A fault that names no known rule lands on the first one, so that nothing undecodable can pass. */
function structureOf({ structure }: AnyTee): Checklist<Decoding<unknown>> {
  const known = structures.get(structure)
  if (known) return known
  const ids = new Set(structure.map(({ id }) => id))
  const made = checklist(
    structure.map(
      (rule, index): Check<Decoding<unknown>> => ({
        ...rule,
        judge(decoding) {
          if (!('fault' in decoding)) return true
          const { id, sentence, observed, expected } = decoding.fault
          const mine = ids.has(id) ? id === rule.id : index === 0
          return !mine || refuse(sentence, observed, expected)
        },
      }),
    ),
  )
  structures.set(structure, made)
  return made
}
