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

/** Least recently used goes first. `limit` counts proofs of all kinds together. */
export function proofCache(limit: number): ProofCache {
  const proofs = new Map<string, Interval>()
  return {
    get<P extends Interval>(kind: ProofKind<P>, key: string, at: Date): P | undefined {
      const name = `${kind.name}:${key}`
      const proof = proofs.get(name)
      if (!proof || !holdsAt(proof, at)) return undefined
      proofs.delete(name)
      proofs.set(name, proof)
      // Only `put` with the same kind writes under this kind's name, and it takes a P.
      return proof as P
    },
    put(kind, key, proof) {
      proofs.set(`${kind.name}:${key}`, proof)
      if (proofs.size <= limit) return
      const oldest = proofs.keys().next()
      if (!oldest.done) proofs.delete(oldest.value)
    },
    size: () => proofs.size,
  }
}
