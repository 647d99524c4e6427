/** Is this leaf in that tree? Audit paths of RFC 6962 section 2.1.1, made from tiles, and checked as RFC 9162 section 2.1.3.2 says. */
import { sameBytes } from '../bytes/encoding.ts'
import { type Run, rememberTiles, runHash, splitOf } from './subtree-hash.ts'
import type { ReadTile } from './tile-tree.ts'
import { nodeHash, rootOver } from './tree-hash.ts'

/** A tree of the largest size that is an exact number is 53 high. */
export const MOST_PATH_HASHES = 63

/** From the leaf's sibling upwards. Throws RangeError for a leaf that a tree of this size has not, and LogFault for absent tiles. */
export async function inclusionPath(
  read: ReadTile,
  { index, size }: { readonly index: number; readonly size: number },
): Promise<readonly Uint8Array[]> {
  const remembered = rememberTiles(read)
  return await Promise.all(inclusionRuns(index, size).map((run) => runHash(remembered, run)))
}

/** The same over leaves that are all at hand. */
export function inclusionPathOver(
  leafHashes: readonly Uint8Array[],
  index: number,
): readonly Uint8Array[] {
  return inclusionRuns(index, leafHashes.length).map(({ start, end }) =>
    rootOver(leafHashes.slice(start, end)),
  )
}

function inclusionRuns(index: number, size: number): readonly Run[] {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size)
    throw new RangeError(`a tree of ${size} has no leaf ${index}`)
  const runs: Run[] = []
  let [start, end] = [0, size]
  while (end - start > 1) {
    const middle = start + splitOf(end - start)
    if (index < middle) {
      runs.push({ start: middle, end })
      end = middle
    } else {
      runs.push({ start, end: middle })
      start = middle
    }
  }
  return runs.toReversed()
}

export interface Inclusion {
  readonly leafHash: Uint8Array
  readonly index: number
  readonly size: number
  readonly path: readonly Uint8Array[]
}

/** An attacker may have chosen all of it. */
export function isIncluded({ leafHash, index, size, path }: Inclusion, root: Uint8Array): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size)) return false
  if (index < 0 || index >= size || path.length > MOST_PATH_HASHES) return false
  let [node, last, hash] = [index, size - 1, leafHash]
  for (const sibling of path) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash)
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    } else hash = nodeHash(hash, sibling)
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 && sameBytes(hash, root)
}
