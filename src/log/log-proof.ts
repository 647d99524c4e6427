/**
 * Does this bundle prove that a leaf is in the log? JSON that needs nothing but the log's key to be checked. A denial stands
 * under the root of its batch, which is the leaf in the log; so its proof has two stages.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { fromHex, sameBytes, toHex } from '../bytes/encoding.ts'
import { type CheckpointKeys, openCheckpoint, type SignedCheckpoint } from './checkpoint.ts'
import { isIncluded, MOST_PATH_HASHES } from './inclusion.ts'
import { LogFault } from './log-fault.ts'
import { HASH_SIZE, leafHashOf } from './tree-hash.ts'

export const LOG_PROOF_TYPE = 'vouchsafe/log-proof/v1'

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const path = z.array(hash).max(MOST_PATH_HASHES)
const count = z.int().min(0)
/** The largest entry that fits into a bundle of C2SP tlog-tiles. */
const entry = z.string().max(0xffff)

export const logProofSchema = z.object({
  type: z.literal(LOG_PROOF_TYPE),
  /** What tokens and answers call the leaf. */
  leaf: hash,
  /** In the log: of the leaf, or of the batch of denials that it is in. */
  index: count,
  /** From the sibling upwards. */
  path,
  denial: z
    .object({
      position: count,
      path,
      /** Of the batch, as the log publishes it: says root and count. */
      entry,
    })
    .optional(),
  /** Signed note of C2SP tlog-checkpoint: says origin, size and root. */
  checkpoint: z.string().max(0xffff),
  /** What the leaf is about, for whom the verifier's operator showed it. */
  disclosed: z
    .object({
      entry,
      /** Hex. */
      salt: z.string().regex(/^[0-9a-f]{32}$/),
      /** The record, JSON, byte for byte. */
      record: z.string().max(1 << 20),
    })
    .optional(),
})

export type LogProof = z.infer<typeof logProofSchema>

export interface Proven {
  readonly checkpoint: SignedCheckpoint
  readonly leaf: string
  readonly index: number
  /** Undefined where the bundle does not say. */
  readonly record: unknown
}

/** Throws LogFault. */
export function parseLogProof(value: unknown): LogProof {
  const parsed = logProofSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new LogFault(`this is no proof of a log: ${issue?.path.join('.')}: ${issue?.message}`)
}

/** Throws LogFault at the first thing that does not hold. The bundle may come from an attacker; the keys may not. */
export function verifyLogProof(proof: LogProof, keys: CheckpointKeys): Proven {
  const checkpoint = openCheckpoint(proof.checkpoint, keys)
  const { leaf, index } = proof
  const { size, root } = checkpoint
  const included = { leafHash: leafInLog(proof), index, size, path: proof.path.map(bytesOf) }
  if (!isIncluded(included, root))
    throw new LogFault(
      `the path does not lead from leaf ${index} to the root of the ${size} leaves`,
    )
  return { checkpoint, leaf, index, record: disclosedRecord(proof) }
}

function leafInLog({ leaf, denial }: LogProof): Uint8Array {
  if (!denial) return bytesOf(leaf)
  const entryBytes = new TextEncoder().encode(denial.entry)
  const batch = batchSchema.safeParse(jsonOf(denial.entry))
  if (!batch.success) throw new LogFault('the entry of the batch of denials names no root')
  const { position, path: steps } = denial
  const size = Number(batch.data.count)
  const included = { leafHash: bytesOf(leaf), index: position, size, path: steps.map(bytesOf) }
  if (!isIncluded(included, bytesOf(batch.data.root)))
    throw new LogFault(`the path does not lead from denial ${position} to the root of its batch`)
  return leafHashOf(entryBytes)
}

const batchSchema = z.object({
  kind: z.literal('denials'),
  count: z.string().regex(/^[1-9]\d{0,8}$/),
  root: hash,
})

/** The entry hashes to the leaf and covers the salted record, or it is not what the leaf is about. */
function disclosedRecord({ leaf, disclosed }: LogProof): unknown {
  if (!disclosed) return undefined
  const { salt, record } = disclosed
  if (!sameBytes(leafHashOf(new TextEncoder().encode(disclosed.entry)), bytesOf(leaf)))
    throw new LogFault('the entry that is shown is not the one of the leaf')
  const covered = createHash('sha256').update(bytesOf(salt)).update(record).digest()
  const published = recordedSchema.safeParse(jsonOf(disclosed.entry))
  if (!published.success || published.data.record !== toHex(covered))
    throw new LogFault('the record that is shown is not the one that the leaf covers')
  return jsonOf(record)
}

const recordedSchema = z.object({ record: hash })

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The schema saw that it is hex. */
function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array(HASH_SIZE)
}
