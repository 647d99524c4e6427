/** What does a signed note say, and who signed it? C2SP signed-note, read as strictly as Go's golang.org/x/mod/sumdb/note. */
import { concat, toHex } from '../bytes/encoding.ts'
import { fromExactBase64, toBase64 } from './base64.ts'
import { LogFault } from './log-fault.ts'
import { isKeyName, type NoteKey, type NoteSigner } from './note-key.ts'

/** Nothing is believed yet. */
export interface Note {
  /** What is signed: ends with a newline. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

interface NoteSignature {
  readonly name: string
  /** Four bytes, hex. */
  readonly id: string
  readonly signature: Uint8Array
}

/** A signature by a key that was asked for, and that holds. */
export interface VerifiedSignature {
  readonly key: NoteKey
  /** Of a cosignature: when the witness made it, in seconds since 1970. */
  readonly timestamp: number | undefined
}

const LARGEST_NOTE = 64 * 1024
const MOST_SIGNATURES = 64
const SIGNATURE_LINE = /^\u2014 (\S+) (\S+)$/u

/** Throws LogFault. */
export function parseNote(note: string): Note {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a note must not contain
  if (note.length > LARGEST_NOTE || !note.isWellFormed() || /[\x00-\x09\x0b-\x1f]/.test(note))
    throw new LogFault('this is no signed note: too long, or with characters that none contains')
  const split = note.lastIndexOf('\n\n')
  if (split < 0 || !note.endsWith('\n'))
    throw new LogFault('this is no signed note: no empty line stands between text and signatures')
  const lines = note.slice(split + 2, -1).split('\n')
  if (lines.length > MOST_SIGNATURES)
    throw new LogFault(`a note has ${lines.length} signatures, and at most ${MOST_SIGNATURES} fit`)
  return { text: note.slice(0, split + 1), signatures: lines.map(signatureOf) }
}

function signatureOf(line: string): NoteSignature {
  const [, name, encoded] = SIGNATURE_LINE.exec(line) ?? []
  const bytes = encoded === undefined ? undefined : fromExactBase64(encoded)
  if (name === undefined || !isKeyName(name) || !bytes || bytes.length < 5)
    throw new LogFault('a signature line of the note is not of the form of C2SP signed-note')
  return { name, id: toHex(bytes.subarray(0, 4)), signature: bytes.slice(4) }
}

/**
 * Those of `keys` that signed it, each once, in the order of `keys`. Signatures by others are passed over. Throws LogFault
 * where one by a known key does not hold.
 */
export function verifyNote(
  { text, signatures }: Note,
  keys: readonly NoteKey[],
): readonly VerifiedSignature[] {
  return keys.flatMap((key) => {
    const own = signatures.find(({ name, id }) => name === key.name && id === key.id)
    if (!own) return []
    const verified = key.verify(text, own.signature)
    if (!verified) throw new LogFault(`the signature of ${key.name}+${key.id} does not hold`)
    return [{ key, ...verified }]
  })
}

/** One signature line, with its newline. `at` counts for cosignatures only. */
export function signatureLine(text: string, { key, sign }: NoteSigner, at: Date): string {
  const id = new Uint8Array(Buffer.from(key.id, 'hex'))
  return `\u2014 ${key.name} ${toBase64(concat(id, sign(text, at)))}\n`
}

export function noteOf(text: string, lines: readonly string[]): string {
  return `${text}\n${lines.join('')}`
}
