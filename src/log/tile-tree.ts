/**
 * How does the log grow? Of the tree only the right edge is needed: for each level of tiles the last one, as far as it is
 * filled. From it comes the root, and with new leaves the tiles that are new or grown.
 */
import { concat } from '../bytes/encoding.ts'
import { LogFault } from './log-fault.ts'
import { TILE_WIDTH } from './tile-path.ts'
import { HASH_SIZE, rootOver, splitHashes } from './tree-hash.ts'

export interface Tile {
  readonly level: number
  readonly index: number
  /** From 1 to 256 hashes of 32 bytes. */
  readonly hashes: Uint8Array
}

export interface TreeEdge {
  readonly size: number
  /** By level, the hashes of the last tile; none where the last tile is full. */
  readonly partial: readonly Uint8Array[]
}

/** Undefined where there is no such tile. Longer than asked for is fine: a tile only grows. */
export type ReadTile = (level: number, index: number) => Promise<Uint8Array | undefined>

/** Throws LogFault where a tile that a tree of this size must have is absent or too short. */
export async function readEdge(read: ReadTile, size: number): Promise<TreeEdge> {
  const partial: Uint8Array[] = []
  let nodes = size
  for (let level = 0; nodes > 0; level++) {
    const width = nodes % TILE_WIDTH
    nodes = Math.floor(nodes / TILE_WIDTH)
    partial.push(
      width === 0 ? new Uint8Array() : await hashesOf(read, { level, index: nodes, width }),
    )
  }
  return { size, partial }
}

async function hashesOf(
  read: ReadTile,
  { level, index, width }: { level: number; index: number; width: number },
): Promise<Uint8Array> {
  const tile = await read(level, index)
  const length = width * HASH_SIZE
  if (!tile || tile.length < length)
    throw new LogFault(
      `tile ${level}/${index} has ${(tile?.length ?? 0) / HASH_SIZE} hashes, and a tree of this size has ${width} there`,
    )
  return tile.subarray(0, length)
}

/** RFC 6962: each tile's hashes are complete subtrees, and what is incomplete below them is the last. */
export function rootOfEdge({ partial }: TreeEdge): Uint8Array {
  let below: Uint8Array | undefined
  for (const hashes of partial) {
    const row = [...splitHashes(hashes), ...(below ? [below] : [])]
    below = row.length > 0 ? rootOver(row) : undefined
  }
  return below ?? rootOver([])
}

export interface Grown {
  readonly edge: TreeEdge
  /** New, or grown. */
  readonly tiles: readonly Tile[]
}

export function growTree({ size, partial }: TreeEdge, leafHashes: readonly Uint8Array[]): Grown {
  const tiles: Tile[] = []
  const edge = [...partial]
  let nodes = size
  let added = leafHashes
  for (let level = 0; added.length > 0; level++) {
    const first = Math.floor(nodes / TILE_WIDTH)
    const row = concat(edge[level] ?? new Uint8Array(), ...added)
    const filled: Uint8Array[] = []
    edge[level] = new Uint8Array()
    for (let at = 0; at < row.length; at += TILE_WIDTH * HASH_SIZE) {
      // A copy: a tile must not hold on to the whole row.
      const hashes = row.slice(at, at + TILE_WIDTH * HASH_SIZE)
      tiles.push({ level, index: first + at / (TILE_WIDTH * HASH_SIZE), hashes })
      if (hashes.length < TILE_WIDTH * HASH_SIZE) edge[level] = hashes
      else filled.push(rootOver(splitHashes(hashes)))
    }
    nodes = first
    added = filled
  }
  return { edge: { size: size + leafHashes.length, partial: edge }, tiles }
}
