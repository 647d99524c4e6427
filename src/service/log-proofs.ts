/** What does the log say to whoever asks? Checkpoint, tiles and entries as C2SP tlog-tiles has them, and ready-made proofs. */
import { fromHex, toHex } from '../bytes/encoding.ts'
import { consistencyProof } from '../log/consistency.ts'
import { encodeEntries } from '../log/entry-bundle.ts'
import { inclusionPath, inclusionPathOver } from '../log/inclusion.ts'
import { LOG_PROOF_TYPE, type LogProof } from '../log/log-proof.ts'
import { TILE_WIDTH, type TileName } from '../log/tile-path.ts'
import { HASH_SIZE } from '../log/tree-hash.ts'
import { Problem } from '../problems.ts'
import type { LogHead, PendingLeaf } from './log-ports.ts'
import type { Store } from './ports.ts'

export type LogReading = Pick<
  Store,
  'logHead' | 'logTile' | 'logEntries' | 'leafPlace' | 'denialBatch' | 'leafBody'
>

/** Undefined where the log has no such tile, or not so wide a one. */
export async function tileBytes(
  store: LogReading,
  { level, index, width }: TileName,
): Promise<Uint8Array | undefined> {
  if (level === 'entries') {
    const entries = await store.logEntries(index * TILE_WIDTH, width)
    return entries.length === width ? encodeEntries(entries) : undefined
  }
  const hashes = await store.logTile(level, index)
  return hashes && hashes.length >= width * HASH_SIZE
    ? hashes.subarray(0, width * HASH_SIZE)
    : undefined
}

/** `leaf`: hex. `checkpointOf` gives the checkpoint with what witnesses added. Throws Problem. */
export async function proveLeaf(
  store: LogReading,
  leaf: string,
  checkpointOf: (head: LogHead) => string,
): Promise<LogProof> {
  const leafHash = hashOf(leaf)
  const place = await store.leafPlace(leafHash)
  if (!place) throw unknown(leaf)
  if (place.in === 'waiting')
    throw new Problem('log-leaf-waiting', 'the leaf is committed and not yet numbered', {
      retryAfterSeconds: 1,
    })
  const { index } = place
  // Read after the place, so that it covers it.
  const head = await headOf(store)
  const path = await inclusionPath(store.logTile, { index, size: head.size })
  const proof = {
    type: LOG_PROOF_TYPE,
    leaf,
    index,
    path: path.map(toHex),
    checkpoint: checkpointOf(head),
  } as const
  if (place.in === 'log') return proof
  return { ...proof, denial: await denialStage(store, place) }
}

async function denialStage(
  store: LogReading,
  { index, position }: { readonly index: number; readonly position: number },
): Promise<NonNullable<LogProof['denial']>> {
  const [leaves, [entry]] = await Promise.all([
    store.denialBatch(index),
    store.logEntries(index, 1),
  ])
  if (!entry) throw new Error(`the log has denials under leaf ${index}, and no such entry`)
  return {
    position,
    path: inclusionPathOver(leaves, position).map(toHex),
    entry: new TextDecoder().decode(entry),
  }
}

export interface ConsistencyAnswer {
  readonly from: number
  readonly to: number
  /** Hex. */
  readonly proof: readonly string[]
}

/** Throws Problem. */
export async function proveConsistency(
  store: LogReading,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<ConsistencyAnswer> {
  const { size } = await headOf(store)
  if (from > to || to > size)
    throw new Problem(
      'request-malformed',
      `from ${from} to ${to}: expected sizes in that order, and the log has ${size} leaves`,
    )
  const proof = await consistencyProof(store.logTile, { from, to })
  return { from, to, proof: proof.map(toHex) }
}

/** Throws Problem. */
export async function headOf(store: Pick<LogReading, 'logHead'>): Promise<LogHead> {
  const head = await store.logHead()
  if (head) return head
  throw new Problem('log-leaf-unknown', 'the log has no checkpoint yet', { retryAfterSeconds: 1 })
}

/** Private: says who was judged, and how. Throws Problem. */
export async function bodyOf(
  store: Pick<LogReading, 'leafBody'>,
  leaf: string,
): Promise<Omit<PendingLeaf, 'leafHash'>> {
  const body = await store.leafBody(hashOf(leaf))
  if (body) return body
  throw unknown(leaf)
}

function unknown(leaf: string): Problem {
  return new Problem('log-leaf-unknown', `nothing is logged as ${leaf}`)
}

/** The route saw that it is 64 hex digits. */
function hashOf(leaf: string): Uint8Array {
  const bytes = fromHex(leaf)
  if (bytes?.length !== HASH_SIZE) throw new Problem('request-malformed', 'leaf: not 64 hex digits')
  return bytes
}
