/**
 * Which key is that? Verifier keys (`name+id+base64`) of C2SP signed-note, for the two kinds that are used here: Ed25519
 * over the text, by which the log signs, and timestamped Ed25519 cosignatures of C2SP tlog-cosignature, by which witnesses
 * sign.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { concat, toBase64Url, toHex } from '../bytes/encoding.ts'
import { fromExactBase64, toBase64 } from './base64.ts'
import { LogFault } from './log-fault.ts'

export type NoteKeyKind = 'log' | 'witness'

export interface NoteKey {
  readonly name: string
  /** Four bytes, hex. With the name it says which key and which kind. */
  readonly id: string
  readonly kind: NoteKeyKind
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** Undefined when the signature does not hold. */
  readonly verify: (
    text: string,
    signature: Uint8Array,
  ) => { readonly timestamp: number | undefined } | undefined
}

export interface NoteSigner {
  readonly key: NoteKey
  /** What stands behind the key's id in a signature. `at` is signed by a witness only. */
  readonly sign: (text: string, at: Date) => Uint8Array
}

/** C2SP signed-note, "Signature types". */
const TYPES: Readonly<Record<NoteKeyKind, number>> = { log: 0x01, witness: 0x04 }
const KEY_SIZE = 32
const TIMESTAMP_SIZE = 8
/** RFC 8410 section 7: what stands before the 32 bytes of an Ed25519 seed in PKCS #8. */
const PKCS8_PREFIX = Uint8Array.from(Buffer.from('302e020100300506032b657004220420', 'hex'))

/** C2SP signed-note, "Format": Unicode spaces are what Go calls so, which is U+0085 too. */
export function isKeyName(name: string): boolean {
  return /^[^\s+\u0085]+$/u.test(name)
}

/** Throws LogFault for a name or a key that cannot be one. */
function noteKey(kind: NoteKeyKind, name: string, publicKey: Uint8Array): NoteKey {
  if (!isKeyName(name)) throw new LogFault(`${JSON.stringify(name)} is no name of a key`)
  if (publicKey.length !== KEY_SIZE)
    throw new LogFault(`an Ed25519 key has ${KEY_SIZE} bytes, not ${publicKey.length}`)
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(publicKey) },
    format: 'jwk',
  })
  const id = idOf(kind, name, publicKey)
  return { name, id, kind, publicKey, verify: verifierOf(kind, key) }
}

/** Throws LogFault. */
export function parseVerifierKey(text: string): NoteKey {
  const [, name = '', id = '', encoded = ''] =
    /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/u.exec(text.trim()) ?? []
  const bytes = fromExactBase64(encoded)
  const kind = bytes && kindOf(bytes[0])
  if (!kind)
    throw new LogFault(
      'this is no verifier key: expected `<name>+<8 hex digits>+<base64>` of type 1 (Ed25519) or 4 (cosignature)',
    )
  const key = noteKey(kind, name, bytes.slice(1))
  if (key.id !== id) throw new LogFault(`the verifier key says ${id}, and its id is ${key.id}`)
  return key
}

export function verifierKeyText({ name, id, kind, publicKey }: NoteKey): string {
  return `${name}+${id}+${toBase64(concat(Uint8Array.of(TYPES[kind]), publicKey))}`
}

/** `seed`: 32 bytes, secret. */
export function noteSigner(kind: NoteKeyKind, name: string, seed: Uint8Array): NoteSigner {
  if (seed.length !== KEY_SIZE) throw new LogFault(`a seed has ${KEY_SIZE} bytes`)
  const secret = createPrivateKey({
    key: Buffer.from(concat(PKCS8_PREFIX, seed)),
    format: 'der',
    type: 'pkcs8',
  })
  // An Ed25519 key exported as JWK has its public half in `x`.
  const { x = '' } = createPublicKey(secret).export({ format: 'jwk' })
  const key = noteKey(kind, name, new Uint8Array(Buffer.from(x, 'base64url')))
  return {
    key,
    sign(text, at) {
      if (kind === 'log') return new Uint8Array(sign(null, Buffer.from(text), secret))
      const seconds = Math.floor(at.getTime() / 1000)
      const signature = sign(null, Buffer.from(cosigned(text, seconds)), secret)
      return concat(bigEndian(seconds), signature)
    },
  }
}

function kindOf(type: number | undefined): NoteKeyKind | undefined {
  if (type === TYPES.log) return 'log'
  return type === TYPES.witness ? 'witness' : undefined
}

function idOf(kind: NoteKeyKind, name: string, publicKey: Uint8Array): string {
  const digest = createHash('sha256')
    .update(`${name}\n`)
    .update(Uint8Array.of(TYPES[kind]))
    .update(publicKey)
    .digest()
  return toHex(digest.subarray(0, 4))
}

function verifierOf(kind: NoteKeyKind, key: KeyObject): NoteKey['verify'] {
  if (kind === 'log')
    return (text, signature) =>
      verify(null, Buffer.from(text), key, signature) ? { timestamp: undefined } : undefined
  return (text, signature) => {
    if (signature.length <= TIMESTAMP_SIZE) return undefined
    const seconds = Number(
      Buffer.from(signature.buffer, signature.byteOffset, TIMESTAMP_SIZE).readBigUInt64BE(),
    )
    if (!Number.isSafeInteger(seconds)) return undefined
    const message = Buffer.from(cosigned(text, seconds))
    return verify(null, message, key, signature.subarray(TIMESTAMP_SIZE))
      ? { timestamp: seconds }
      : undefined
  }
}

/** C2SP tlog-cosignature, "Ed25519 signed message". */
function cosigned(text: string, seconds: number): string {
  return `cosignature/v1\ntime ${seconds}\n${text}`
}

function bigEndian(seconds: number): Uint8Array {
  const bytes = Buffer.alloc(TIMESTAMP_SIZE)
  bytes.writeBigUInt64BE(BigInt(seconds))
  return new Uint8Array(bytes)
}
