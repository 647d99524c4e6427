/**
 * May this head be continued? Only if the log's own key signed it, the stored tiles have its root, and it continues the last
 * one that this process saw: a log that signs two trees of one size has lied to somebody, and nobody can take that back.
 *
 * `seen` begins with what witnesses hold of the log's signatures, for a database that was restored while no replica ran.
 * Not seen: such a restore where no witness answers.
 */
import { sameBytes } from '../bytes/encoding.ts'
import { openCheckpoint } from '../log/checkpoint.ts'
import type { TreeHead } from '../log/consistency.ts'
import { LogFault } from '../log/log-fault.ts'
import type { NoteKey } from '../log/note-key.ts'
import { runHash } from '../log/subtree-hash.ts'
import { type ReadTile, readEdge, rootOfEdge, type TreeEdge } from '../log/tile-tree.ts'
import type { LogHead } from './log-ports.ts'

/** Throws LogFault. The edge of the tree that the head signs; of the empty one where there is no head. */
export async function continuable(
  head: LogHead | undefined,
  {
    key,
    tile,
    seen,
  }: { readonly key: NoteKey; readonly tile: ReadTile; readonly seen: TreeHead | undefined },
): Promise<TreeEdge> {
  assertNotOlder(head, seen)
  if (!head) return { size: 0, partial: [] }
  const { size, root } = openCheckpoint(head.checkpoint, { log: key })
  if (size !== head.size || !sameBytes(root, head.root))
    throw new LogFault(
      `the database says ${head.size} leaves, and its checkpoint ${size} or another root`,
    )
  const edge = await readEdge(tile, size)
  if (!sameBytes(rootOfEdge(edge), root))
    throw new LogFault(
      `the stored tiles have another root than the signed checkpoint of ${size} leaves`,
    )
  if (
    seen &&
    seen.size < size &&
    !sameBytes(await runHash(tile, { start: 0, end: seen.size }), seen.root)
  )
    throw new LogFault(
      `the ${size} leaves do not continue the ${seen.size} that were signed before`,
    )
  return edge
}

/** Throws LogFault. */
export function assertNotOlder(head: TreeHead | undefined, seen: TreeHead | undefined): void {
  if (!seen) return
  if (!head || head.size < seen.size)
    throw new LogFault(
      `the database has a log of ${head?.size ?? 0} leaves, and ${seen.size} were signed: it is older than what this service has told`,
    )
  if (head.size === seen.size && !sameBytes(head.root, seen.root))
    throw new LogFault(
      `the database has another log of ${head.size} leaves than the one that was signed`,
    )
}
