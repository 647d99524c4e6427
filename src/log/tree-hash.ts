/** How are leaves and nodes of the log hashed? RFC 6962 section 2.1, SHA-256; the first byte sets a leaf apart from a node. */
import { hash } from 'node:crypto'

export const HASH_SIZE = 32

const LEAF = 0
const NODE = 1

/** MTH of no entries at all. */
export const EMPTY_ROOT: Uint8Array = new Uint8Array(hash('sha256', '', 'buffer'))

export function leafHashOf(entry: Uint8Array): Uint8Array {
  const preimage = new Uint8Array(1 + entry.length)
  preimage[0] = LEAF
  preimage.set(entry, 1)
  return new Uint8Array(hash('sha256', preimage, 'buffer'))
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const preimage = new Uint8Array(1 + 2 * HASH_SIZE)
  preimage[0] = NODE
  preimage.set(left, 1)
  preimage.set(right, 1 + HASH_SIZE)
  return new Uint8Array(hash('sha256', preimage, 'buffer'))
}

/**
 * Root over the roots of subtrees of one height, of which the last may be lower: the split of RFC 6962 at the largest power
 * of two comes to the same as pairing from the left, level by level, and carrying up the odd one.
 */
export function rootOver(hashes: readonly Uint8Array[]): Uint8Array {
  let level = hashes
  while (level.length > 1) {
    const above: Uint8Array[] = []
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = [level[at], level[at + 1]]
      if (left) above.push(right ? nodeHash(left, right) : left)
    }
    level = above
  }
  return level[0] ?? EMPTY_ROOT
}

/** Concatenated hashes, one by one; views, not copies. Throws RangeError for a piece of a hash. */
export function splitHashes(hashes: Uint8Array): readonly Uint8Array[] {
  if (hashes.length % HASH_SIZE !== 0) throw new RangeError(`${hashes.length} bytes are no hashes`)
  return Array.from({ length: hashes.length / HASH_SIZE }, (_, at) =>
    hashes.subarray(at * HASH_SIZE, (at + 1) * HASH_SIZE),
  )
}
