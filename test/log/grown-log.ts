/** A log in memory, grown batch by batch as the sequencer grows it, so that what stands in tiles can be compared. */
import { growTree, type ReadTile, rootOfEdge, type TreeEdge } from '../../src/log/tile-tree.ts'
import { naiveLeaf } from './naive-tree.ts'

export interface GrownLog {
  readonly read: ReadTile
  readonly tiles: ReadonlyMap<string, Uint8Array>
  readonly edge: TreeEdge
  readonly root: Uint8Array
}

export function leavesUpTo(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, n) => naiveLeaf(new TextEncoder().encode(`entry ${n}`)))
}

/** `batches`: how many leaves each brings; the last takes what is left. */
export function grownLog(leaves: readonly Uint8Array[], batches: readonly number[] = []): GrownLog {
  const tiles = new Map<string, Uint8Array>()
  let edge: TreeEdge = { size: 0, partial: [] }
  for (const count of [...batches, leaves.length]) {
    const grown = growTree(edge, leaves.slice(edge.size, edge.size + count))
    for (const { level, index, hashes } of grown.tiles) tiles.set(`${level}/${index}`, hashes)
    edge = grown.edge
  }
  const read: ReadTile = async (level, index) => tiles.get(`${level}/${index}`)
  return { read, tiles, edge, root: rootOfEdge(edge) }
}
