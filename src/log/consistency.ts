/** Does a tree continue a smaller one? Proofs of RFC 6962 section 2.1.2, made from tiles, and checked as RFC 9162 section 2.1.4.2 says. */
import { sameBytes } from '../bytes/encoding.ts'
import { MOST_PATH_HASHES } from './inclusion.ts'
import { isPowerOfTwo, type Run, rememberTiles, runHash, splitOf } from './subtree-hash.ts'
import type { ReadTile } from './tile-tree.ts'
import { EMPTY_ROOT, nodeHash } from './tree-hash.ts'

export interface TreeHead {
  readonly size: number
  readonly root: Uint8Array
}

/** Empty between equal sizes, and from the empty tree. Throws RangeError where `from` is larger than `to`. */
export async function consistencyProof(
  read: ReadTile,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<readonly Uint8Array[]> {
  const remembered = rememberTiles(read)
  return await Promise.all(consistencyRuns(from, to).map((run) => runHash(remembered, run)))
}

function consistencyRuns(from: number, to: number): readonly Run[] {
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || from > to)
    throw new RangeError(`a tree of ${to} does not continue one of ${from}`)
  if (from === 0 || from === to) return []
  const runs: Run[] = []
  let [start, end] = [0, to]
  // RFC 6962: whether the smaller tree's own root, which the verifier knows, is what is left in the end.
  let isKnown = true
  while (end !== from) {
    const middle = start + splitOf(end - start)
    if (from <= middle) {
      runs.push({ start: middle, end })
      end = middle
    } else {
      runs.push({ start, end: middle })
      start = middle
      isKnown = false
    }
  }
  if (!isKnown) runs.push({ start, end })
  return runs.toReversed()
}

/** An attacker may have chosen all of it, but for the older head. */
export function isConsistent(
  older: TreeHead,
  newer: TreeHead,
  proof: readonly Uint8Array[],
): boolean {
  if (!Number.isSafeInteger(older.size) || !Number.isSafeInteger(newer.size)) return false
  if (older.size < 0 || older.size > newer.size || proof.length > MOST_PATH_HASHES) return false
  if (older.size === newer.size) return proof.length === 0 && sameBytes(older.root, newer.root)
  if (older.size === 0) return proof.length === 0 && sameBytes(older.root, EMPTY_ROOT)
  return rebuilds(older, newer, proof)
}

function rebuilds(older: TreeHead, newer: TreeHead, proof: readonly Uint8Array[]): boolean {
  const path = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof
  const [seed, ...rest] = path
  if (!seed) return false
  let [node, last] = [older.size - 1, newer.size - 1]
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  let [small, large] = [seed, seed]
  for (const hash of rest) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      small = nodeHash(hash, small)
      large = nodeHash(hash, large)
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    } else large = nodeHash(large, hash)
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 && sameBytes(small, older.root) && sameBytes(large, newer.root)
}
