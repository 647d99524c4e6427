/** What is the hash of a run of leaves? Read from tiles: whole subtrees stand in them, or are made of a piece of one. */
import { LogFault } from './log-fault.ts'
import { TILE_HEIGHT, TILE_WIDTH } from './tile-path.ts'
import type { ReadTile } from './tile-tree.ts'
import { EMPTY_ROOT, HASH_SIZE, nodeHash, rootOver, splitHashes } from './tree-hash.ts'

/** Leaves from `start` up to `end`. `start` is a multiple of the smallest power of two that covers the run. */
export interface Run {
  readonly start: number
  readonly end: number
}

/** RFC 6962 section 2.1: the largest power of two smaller than `count`, which is at least 2. */
export function splitOf(count: number): number {
  let split = 1
  while (split * 2 < count) split *= 2
  return split
}

/** MTH(D[start:end]). Throws LogFault where a tile that it takes is absent or too short. */
export async function runHash(read: ReadTile, { start, end }: Run): Promise<Uint8Array> {
  const count = end - start
  if (count === 0) return EMPTY_ROOT
  if (isPowerOfTwo(count)) return await subtree(read, Math.round(Math.log2(count)), start / count)
  const middle = start + splitOf(count)
  const left = await runHash(read, { start, end: middle })
  return nodeHash(left, await runHash(read, { start: middle, end }))
}

/** Reads each tile once: for one proof, whose hashes come from few of them. */
export function rememberTiles(read: ReadTile): ReadTile {
  const tiles = new Map<string, ReturnType<ReadTile>>()
  return (level, index) => {
    const name = `${level}/${index}`
    const known = tiles.get(name) ?? read(level, index)
    tiles.set(name, known)
    return known
  }
}

async function subtree(read: ReadTile, height: number, position: number): Promise<Uint8Array> {
  const level = Math.floor(height / TILE_HEIGHT)
  const width = 2 ** (height % TILE_HEIGHT)
  const first = position * width
  const index = Math.floor(first / TILE_WIDTH)
  const at = (first % TILE_WIDTH) * HASH_SIZE
  const tile = await read(level, index)
  const hashes = tile?.subarray(at, at + width * HASH_SIZE)
  if (hashes?.length !== width * HASH_SIZE)
    throw new LogFault(
      `tile ${level}/${index} has ${(tile?.length ?? 0) / HASH_SIZE} hashes, and a hash over ${width} from number ${first % TILE_WIDTH} on is asked of it`,
    )
  return rootOver(splitHashes(hashes))
}

/** Not by the logarithm alone, which is rounded: 2^50 + 1 would pass. */
export function isPowerOfTwo(count: number): boolean {
  return 2 ** Math.round(Math.log2(count)) === count
}
