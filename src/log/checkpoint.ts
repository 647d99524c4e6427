/** What tree does the log vouch for? C2SP tlog-checkpoint: origin, size and root, as the text of a signed note. */
import { fromExactBase64, toBase64 } from './base64.ts'
import type { TreeHead } from './consistency.ts'
import { LogFault } from './log-fault.ts'
import { parseNote, verifyNote } from './note.ts'
import type { NoteKey } from './note-key.ts'
import { HASH_SIZE } from './tree-hash.ts'

/** As its text says, whoever signed it. */
export interface Checkpoint extends TreeHead {
  readonly origin: string
  /** Opaque; a log of this service writes none. */
  readonly extensions: readonly string[]
  /** What is signed. */
  readonly text: string
}

export interface SignedCheckpoint extends Checkpoint {
  /** By witnesses that were asked for. `at`: by their clocks. */
  readonly cosignatures: readonly { readonly witness: NoteKey; readonly at: Date }[]
}

export function checkpointText({
  origin,
  size,
  root,
}: Pick<Checkpoint, 'origin' | 'size' | 'root'>): string {
  return `${origin}\n${size}\n${toBase64(root)}\n`
}

/** Throws LogFault. */
export function parseCheckpoint(note: string): Checkpoint {
  const { text } = parseNote(note)
  const [origin = '', size = '', root = '', ...extensions] = text.slice(0, -1).split('\n')
  const hash = fromExactBase64(root)
  if (origin === '') throw new LogFault('the checkpoint has no origin')
  if (!/^(?:0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size)))
    throw new LogFault('the second line of the checkpoint is no size of a tree')
  if (hash?.length !== HASH_SIZE)
    throw new LogFault(`the third line of the checkpoint is no hash of ${HASH_SIZE} bytes`)
  if (extensions.includes('')) throw new LogFault('an extension line of the checkpoint is empty')
  return { origin, size: Number(size), root: hash, extensions, text }
}

export interface CheckpointKeys {
  /** Its name is the origin that is expected. */
  readonly log: NoteKey
  readonly witnesses?: readonly NoteKey[]
}

/**
 * Throws LogFault unless the log signed it under its own name, and where a cosignature by a known witness does not hold.
 * Not checked: how many witnesses there are, and when they signed, which is the caller's policy.
 */
export function openCheckpoint(
  note: string,
  { log, witnesses = [] }: CheckpointKeys,
): SignedCheckpoint {
  const checkpoint = parseCheckpoint(note)
  if (checkpoint.origin !== log.name)
    throw new LogFault(`the checkpoint is of ${checkpoint.origin}, not of ${log.name}`)
  const signed = parseNote(note)
  if (verifyNote(signed, [log]).length === 0)
    throw new LogFault(`the checkpoint bears no signature by ${log.name}+${log.id}`)
  const cosignatures = verifyNote(signed, witnesses).map(({ key, timestamp = 0 }) => ({
    witness: key,
    at: new Date(timestamp * 1000),
  }))
  return { ...checkpoint, cosignatures }
}
