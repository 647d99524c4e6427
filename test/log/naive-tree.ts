/** RFC 6962 section 2.1 word for word: slow, and nothing shared with src/log but SHA-256. */
import { createHash } from 'node:crypto'

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return new Uint8Array(digest.digest())
}

export function naiveLeaf(entry: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0), entry)
}

/** MTH, of leaf hashes. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves
  if (!only) return sha256()
  if (leaves.length === 1) return only
  const k = largestPowerBelow(leaves.length)
  return sha256(Uint8Array.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)))
}

/** PATH(m, D[n]) */
export function naivePath(m: number, leaves: readonly Uint8Array[]): readonly Uint8Array[] {
  if (leaves.length <= 1) return []
  const k = largestPowerBelow(leaves.length)
  return m < k
    ? [...naivePath(m, leaves.slice(0, k)), naiveRoot(leaves.slice(k))]
    : [...naivePath(m - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))]
}

/** PROOF(m, D[n]) */
export function naiveProof(m: number, leaves: readonly Uint8Array[]): readonly Uint8Array[] {
  return subproof(m, leaves, true)
}

/** SUBPROOF(m, D[n], b) */
function subproof(m: number, leaves: readonly Uint8Array[], b: boolean): readonly Uint8Array[] {
  const n = leaves.length
  if (m === n) return b ? [] : [naiveRoot(leaves)]
  const k = largestPowerBelow(n)
  return m <= k
    ? [...subproof(m, leaves.slice(0, k), b), naiveRoot(leaves.slice(k))]
    : [...subproof(m - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))]
}

function largestPowerBelow(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}
