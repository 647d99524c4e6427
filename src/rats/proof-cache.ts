/**
 * Proofs kept for the next appraisal: positive results only, each with the interval in which it holds, under a key that
 * names anchors, endorsements and everything else it was made from. Bounded: an attacker who brings many chains costs
 * re-computation, never memory.
 */
import { holdsAt, type Interval } from '../pki/interval.ts'

export interface ProofCache {
  /** A proof that holds at `at`; undefined means compute it. */
  readonly get: <P extends Interval>(kind: ProofKind<P>, key: string, at: Date) => P | undefined
  readonly put: <P extends Interval>(kind: ProofKind<P>, key: string, proof: P) => void
  readonly size: () => number
}

/** A kind is a symbol that carries its proofs' type, so that a key of one kind can never return another's proof. */
export interface ProofKind<P> {
  readonly name: string
  /** Never set: ties P to the kind for the compiler. */
  readonly proves?: P
}

export function proofKind<P extends Interval>(name: string): ProofKind<P> {
  return { name }
}

/**
 * `limit` counts proofs of all kinds together. Two generations instead of a strict order: what is asked for moves to the
 * younger one, and when that is full the older one is forgotten whole. A hit in the younger generation changes nothing,
 * where re-inserting at every hit cost more than a tenth of a warm TDX appraisal.
 */
export function proofCache(limit: number): ProofCache {
  const generation = Math.max(1, Math.floor(limit / 2))
  let young = new Map<string, Interval>()
  let old = new Map<string, Interval>()

  function keep(name: string, proof: Interval): void {
    if (young.size >= generation && !young.has(name)) {
      old = young
      young = new Map()
    }
    old.delete(name)
    young.set(name, proof)
  }

  return {
    get<P extends Interval>(kind: ProofKind<P>, key: string, at: Date): P | undefined {
      const name = `${kind.name}:${key}`
      const fresh = young.get(name)
      const proof = fresh ?? old.get(name)
      if (!proof || !holdsAt(proof, at)) return undefined
      if (!fresh) keep(name, proof)
      // Only `put` with the same kind writes under this kind's name, and it takes a P.
      return proof as P
    },
    put: (kind, key, proof) => keep(`${kind.name}:${key}`, proof),
    size: () => young.size + old.size,
  }
}
