/**
 * Is this log what it says? Every entry is read and hashed, the tree is grown from them, and every tile and the signed root
 * must come out. What was verified before is not read again: its root must come out on the way.
 */
import { sameBytes, toHex } from '../bytes/encoding.ts'
import type { SignedCheckpoint } from '../log/checkpoint.ts'
import type { TreeHead } from '../log/consistency.ts'
import { decodeEntries } from '../log/entry-bundle.ts'
import { LogFault } from '../log/log-fault.ts'
import { TILE_WIDTH, tilePath } from '../log/tile-path.ts'
import { growTree, readEdge, rootOfEdge, type Tile, type TreeEdge } from '../log/tile-tree.ts'
import { HASH_SIZE, leafHashOf } from '../log/tree-hash.ts'
import type { LeafKind } from '../service/log-ports.ts'
import type { Progress } from './collateral-progress.ts'
import { entryBundle, hashTile, type LogSource } from './log-source.ts'

/** Bundles that are read at once. */
const AT_ONCE = 8

export interface Audited {
  /** Entries that were read, by what they say they are. */
  readonly kinds: Readonly<Record<string, number>>
  /** Denials under the roots among them. */
  readonly denials: number
  readonly entries: number
}

export function bundlesOf(from: number, to: number): number {
  return Math.ceil(to / TILE_WIDTH) - Math.floor(from / TILE_WIDTH)
}

/** Throws LogFault at the first thing that does not hold. `older`: verified before. */
export async function auditLog(
  source: LogSource,
  {
    older,
    newer,
    bar,
  }: { readonly older: TreeHead; readonly newer: SignedCheckpoint; readonly bar: Progress },
): Promise<Audited> {
  assertContinues(older, newer)
  const { size } = newer
  const tileOf = (level: number, index: number) => hashTile(source, { level, index, size })
  let edge = await readEdge(tileOf, older.size)
  if (!sameBytes(rootOfEdge(edge), older.root))
    throw new LogFault(
      `the first ${older.size} leaves have another root than when they were verified before`,
    )
  const seen = { kinds: {}, denials: 0, entries: 0 }
  const last = Math.ceil(size / TILE_WIDTH)
  for (let first = Math.floor(older.size / TILE_WIDTH); first < last; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, last - first) }, (_, n) => first + n)
    const bundles = await Promise.all(numbers.map((index) => entryBundle(source, { index, size })))
    for (const [n, bundle] of bundles.entries()) {
      const index = first + n
      bar.step(`${tilePath({ level: 'entries', index, width: TILE_WIDTH })}`)
      edge = await growBy(source, { edge, index, size, bundle, seen })
    }
  }
  if (!sameBytes(rootOfEdge(edge), newer.root))
    throw new LogFault(
      `the ${size} entries have the root ${toHex(rootOfEdge(edge))}, and the signed checkpoint says ${toHex(newer.root)}`,
    )
  return seen
}

/** Throws LogFault: a log must only grow. */
function assertContinues(older: TreeHead, newer: TreeHead): void {
  if (newer.size < older.size)
    throw new LogFault(
      `the log has ${newer.size} leaves, and ${older.size} were verified before: it was rolled back`,
    )
  if (newer.size === older.size && !sameBytes(newer.root, older.root))
    throw new LogFault(
      `another log of ${older.size} leaves was verified before: this one is a fork`,
    )
}

interface Growth {
  readonly edge: TreeEdge
  readonly index: number
  readonly size: number
  readonly bundle: Uint8Array
  readonly seen: { kinds: Record<string, number>; denials: number; entries: number }
}

async function growBy(
  source: LogSource,
  { edge, index, size, bundle, seen }: Growth,
): Promise<TreeEdge> {
  const first = index * TILE_WIDTH
  const all = decodeEntries(bundle)
  const width = Math.min(TILE_WIDTH, size - first)
  if (all.length < width)
    throw new LogFault(`bundle ${index} has ${all.length} entries, and ${width} belong there`)
  const entries = all.slice(edge.size - first, width)
  for (const entry of entries) count(entry, seen)
  const grown = growTree(edge, entries.map(leafHashOf))
  for (const tile of grown.tiles) if (isWhole(tile, size)) await assertServed(source, tile, size)
  return grown.edge
}

/** A tile that later entries still widen is compared when it is as wide as it gets. */
function isWhole({ level, index, hashes }: Tile, size: number): boolean {
  const width = Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH)
  return hashes.length === width * HASH_SIZE
}

async function assertServed(
  source: LogSource,
  { level, index, hashes }: Tile,
  size: number,
): Promise<void> {
  const served = await hashTile(source, { level, index, size })
  if (!sameBytes(served, hashes))
    throw new LogFault(`tile ${level}/${index} does not have the hashes of the entries below it`)
}

/** What an entry says of itself is the log's word, and counted as such; anything may stand there. */
function count(entry: Uint8Array, seen: Growth['seen']): void {
  const { kind, denials } = saidBy(entry)
  seen.kinds[kind] = (seen.kinds[kind] ?? 0) + 1
  seen.denials += denials
  seen.entries += 1
}

const kinds = {
  policy: true,
  issuance: true,
  denials: true,
  revocation: true,
  keys: true,
  release: true,
  resource: true,
  session: true,
} satisfies Readonly<Record<Exclude<LeafKind, 'denial'>, true>>
const KINDS = new Set(Object.keys(kinds))

function saidBy(entry: Uint8Array): { readonly kind: string; readonly denials: number } {
  try {
    const said: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(entry))
    if (typeof said !== 'object' || said === null || !('kind' in said)) return unknown
    const { kind } = said
    if (typeof kind !== 'string' || !KINDS.has(kind)) return unknown
    const denials = kind === 'denials' && 'count' in said ? Number(said.count) : 0
    return { kind, denials: Number.isSafeInteger(denials) && denials > 0 ? denials : 0 }
  } catch {
    return unknown
  }
}

const unknown = { kind: 'unknown', denials: 0 }
