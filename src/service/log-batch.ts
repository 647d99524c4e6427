/** What does the log become with the leaves that wait? Pure: the tree, the tiles and the checkpoint that a sequencer then keeps. */
import { sameBytes, toHex } from '../bytes/encoding.ts'
import { checkpointText } from '../log/checkpoint.ts'
import { LogFault } from '../log/log-fault.ts'
import { noteOf, signatureLine } from '../log/note.ts'
import type { NoteSigner } from '../log/note-key.ts'
import { growTree, rootOfEdge, type TreeEdge } from '../log/tile-tree.ts'
import { leafHashOf, rootOver } from '../log/tree-hash.ts'
import { denialsEntry } from './log-leaves.ts'
import type { LeafKind, LogBatch, WaitingLeaf } from './log-ports.ts'

export interface BatchRequest {
  /** Of the tree that is signed. */
  readonly edge: TreeEdge
  readonly waiting: readonly WaitingLeaf[]
  readonly signer: NoteSigner
  readonly at: Date
}

/** Throws LogFault where a leaf that waits is not the hash of its entry. */
export function batchOf({ edge, waiting, signer, at }: BatchRequest): LogBatch {
  for (const leaf of waiting) assertHashed(leaf)
  const denials = waiting.filter(({ kind }) => kind === 'denial')
  const entries: { kind: LeafKind; entry: Uint8Array; leafHash: Uint8Array }[] = waiting
    .filter(({ kind }) => kind !== 'denial')
    .map(({ kind, entry, leafHash }) => ({ kind, entry, leafHash }))
  // Last, so that its index is known: what it stands for names it.
  if (denials.length > 0) entries.push(denialsLeaf(denials, at))
  const grown = growTree(
    edge,
    entries.map(({ leafHash }) => leafHash),
  )
  const { size } = grown.edge
  const root = rootOfEdge(grown.edge)
  const text = checkpointText({ origin: signer.key.name, size, root })
  return {
    head: { size, root, at, checkpoint: noteOf(text, [signatureLine(text, signer, at)]) },
    entries: entries.map((each, n) => ({ index: edge.size + n, ...each })),
    denials: denials.map(({ leafHash }, position) => ({ index: size - 1, position, leafHash })),
    tiles: grown.tiles,
    taken: waiting.map(({ id }) => id),
  }
}

function denialsLeaf(denials: readonly WaitingLeaf[], at: Date) {
  const root = rootOver(denials.map(({ leafHash }) => leafHash))
  const entry = denialsEntry({ at, count: denials.length, root })
  return { kind: 'denials' as const, entry, leafHash: leafHashOf(entry) }
}

/** The database keeps both: whoever changed one of them meanwhile must not have the log vouch for it. */
function assertHashed({ id, entry, leafHash }: WaitingLeaf): void {
  if (!sameBytes(leafHashOf(entry), leafHash))
    throw new LogFault(
      `waiting leaf ${id} is called ${toHex(leafHash)}, and its entry hashes to something else`,
    )
}
