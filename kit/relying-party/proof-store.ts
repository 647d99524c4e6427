/** Was this proof used before? Remembered for as long as it could be used again, in this process; several need one store. */

export interface ProofStore {
  /**
   * True for the first who brings this id until `expiresAt` (seconds since 1970), on whichever process: one atomic question,
   * as SET with NX and EXAT is to Redis. A rejection means that nobody can tell, and the proof is not accepted.
   */
  readonly useOnce: (id: string, expiresAt: number) => boolean | Promise<boolean>
}

/**
 * `most`: ids kept at once. When so many are live nothing more is accepted: to forget one would be to accept it again. Only
 * agents with a good token can add any.
 */
export function memoryProofStore({ most = 100_000, now = Date.now } = {}): ProofStore {
  const used = new Map<string, number>()
  return {
    useOnce(id, expiresAt) {
      const known = used.get(id)
      const at = now() / 1000
      if (known !== undefined && known > at) return false
      if (used.size >= most) forgetOver(used, at)
      if (used.size >= most)
        throw new Error(`${most} proofs are remembered, and there is no more room`)
      used.delete(id)
      used.set(id, expiresAt)
      return true
    },
  }
}

function forgetOver(used: Map<string, number>, at: number): void {
  for (const [id, expiresAt] of used) if (expiresAt <= at) used.delete(id)
}
