/**
 * How is one file of a model encrypted so that it can be read as a stream, and no byte of it is handed on that is not the right
 * byte at the right place? In chunks of 4 MiB under AES-256-GCM, each with a nonce that counts and says whether it is the last
 * (STREAM, Hoang, Reyhanitabar, Rogaway and Vizár 2015, section 7), under a key of this file alone. What the file is, which
 * model and which version it belongs to is authenticated with every chunk, so that a file from elsewhere fails at its first.
 *
 * AES-GCM does not commit to its key: whoever knows the key of a model can make other bytes that open. Against those only the
 * digest of the plaintext helps, which is compared with what the policy approved (model-manifest.ts).
 */
import {
  type Cipheriv,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import { sameBytes, toHex } from '../bytes/encoding.ts'
import { bytes, layout, u32, u64, zero } from '../bytes/layout.ts'
import { Malformed } from '../bytes/malformed.ts'
import { canonicalJson } from '../rats/canonical-json.ts'
import { ModelRefused } from './model-refused.ts'

export const MODEL_FORMAT = 'vouchsafe/sealed-model/v1'
export const MODEL_KEY_BYTES = 32
/** Of plaintext; the last chunk of a file has what is left, and an empty file has one empty chunk. */
export const CHUNK_BYTES = 4 * 1024 * 1024
export const TAG_BYTES = 16
const PIECE_BYTES = 256 * 1024
const SALT_BYTES = 32

const MAGIC = Buffer.from('vchsfmdl', 'latin1')

const header = layout('SEALED_FILE', 64, {
  magic: bytes(0x00, 8),
  formatVersion: u32(0x08),
  chunkBytes: u32(0x0c),
  /** Position in the manifest. */
  index: u32(0x10),
  reserved: zero(0x14, 4),
  /** Of the plaintext. */
  fileBytes: u64(0x18),
  salt: bytes(0x20, SALT_BYTES),
})

export const HEADER_BYTES = header.size

/** What is authenticated with every chunk of a file, and never read out of it: all of it comes from the manifest. */
export interface ModelFile {
  readonly model: string
  readonly version: number
  /** Position in the manifest, from 0. */
  readonly index: number
  readonly path: string
  readonly bytes: number
}

/** Of one file: good for its chunks alone. */
export interface FileSeal {
  readonly key: KeyObject
  readonly aad: Uint8Array
}

export interface ChunkPlace {
  /** From 0. */
  readonly counter: number
  readonly last: boolean
}

export function chunkCount(fileBytes: number): number {
  return Math.max(1, Math.ceil(fileBytes / CHUNK_BYTES))
}

/** With its tag. */
export function sealedChunkBytes(fileBytes: number, counter: number): number {
  return Math.min(CHUNK_BYTES, fileBytes - counter * CHUNK_BYTES) + TAG_BYTES
}

export function sealedFileBytes(fileBytes: number): number {
  return HEADER_BYTES + fileBytes + chunkCount(fileBytes) * TAG_BYTES
}

export function chunkPlace(fileBytes: number, counter: number): ChunkPlace {
  return { counter, last: counter === chunkCount(fileBytes) - 1 }
}

/** `salt`: 32 random bytes, never used before. A file that is sealed again gets another, and so another key and new nonces. */
export function beginFile(
  modelKey: KeyObject,
  file: ModelFile,
  salt: Uint8Array,
): { readonly header: Uint8Array; readonly seal: FileSeal } {
  return {
    header: header.encode({
      magic: MAGIC,
      formatVersion: 1,
      chunkBytes: CHUNK_BYTES,
      index: file.index,
      fileBytes: BigInt(file.bytes),
      salt,
    }),
    seal: fileSeal(modelKey, file, salt),
  }
}

/** `received`: the first 64 bytes. Throws ModelRefused when they are not the header of this very file. */
export function readHeader(modelKey: KeyObject, file: ModelFile, received: Uint8Array): FileSeal {
  const { magic, formatVersion, chunkBytes, index, fileBytes, salt } = decoded(file, received)
  const expected = [
    ['magic', toHex(magic), toHex(MAGIC)],
    ['format version', formatVersion, 1],
    ['bytes of a chunk', chunkBytes, CHUNK_BYTES],
    ['position', index, file.index],
    ['bytes', fileBytes, BigInt(file.bytes)],
  ] as const
  for (const [name, observed, wanted] of expected)
    if (observed !== wanted)
      throw new ModelRefused({
        where: `header of ${file.path}, ${name}`,
        observed: `${observed}`,
        expected: `${wanted}`,
      })
  return fileSeal(modelKey, file, salt)
}

function decoded(file: ModelFile, received: Uint8Array) {
  try {
    return header.decode(received)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    const { observed, expected } = cause
    throw new ModelRefused({ where: `header of ${file.path}`, observed, expected }, { cause })
  }
}

function fileSeal(modelKey: KeyObject, file: ModelFile, salt: Uint8Array): FileSeal {
  const info = `${MODEL_FORMAT} file ${file.index}`
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', modelKey, salt, info, 32)))
  const aad = canonicalJson({
    format: MODEL_FORMAT,
    chunkBytes: `${CHUNK_BYTES}`,
    model: file.model,
    version: `${file.version}`,
    index: `${file.index}`,
    path: file.path,
    bytes: `${file.bytes}`,
    salt: toHex(salt),
  })
  return { key, aad }
}

/** `chunk`: plaintext, and room for the tag behind it. Becomes the sealed chunk. Each place of a file may be sealed once. */
export function sealChunk({ key, aad }: FileSeal, place: ChunkPlace, chunk: Uint8Array): void {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(place), { authTagLength: TAG_BYTES })
  cipher.setAAD(aad)
  inPlace(cipher, chunk.subarray(0, -TAG_BYTES))
  cipher.final()
  chunk.set(cipher.getAuthTag(), chunk.length - TAG_BYTES)
}

/**
 * The plaintext, which takes the place of `chunk`. Undefined, and nothing left of either, unless exactly these bytes were sealed
 * for exactly this place: nothing of a chunk is seen before all of it is known.
 */
export function openChunk(
  { key, aad }: FileSeal,
  place: ChunkPlace,
  chunk: Uint8Array,
): Uint8Array | undefined {
  if (chunk.length < TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(place), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(aad)
  decipher.setAuthTag(chunk.subarray(-TAG_BYTES))
  const text = chunk.subarray(0, -TAG_BYTES)
  inPlace(decipher, text)
  try {
    decipher.final()
    return text
  } catch {
    chunk.fill(0)
    return undefined
  }
}

/**
 * A piece stays in the processor's cache, and its memory is given back at once. Left to the collector it would be gigabytes:
 * V8 collects everything each time 64 MiB of them have come together, which took half of the time of opening a model.
 */
function inPlace(cipher: Pick<Cipheriv, 'update'>, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = cipher.update(bytes.subarray(at, at + PIECE_BYTES))
    bytes.set(piece, at)
    const { buffer } = piece
    if (buffer instanceof ArrayBuffer && buffer.byteLength === piece.length) buffer.transfer(0)
  }
}

/** 11 bytes that count, big-endian, and one that says whether this is the last: never twice the same under one key. */
function nonceOf({ counter, last }: ChunkPlace): Uint8Array {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(counter, 5, 6)
  nonce[11] = last ? 1 : 0
  return nonce
}

/** Throws TypeError for anything but 32 bytes. */
export function modelKeyOf(received: Uint8Array): KeyObject {
  if (received.length !== MODEL_KEY_BYTES || sameBytes(received, new Uint8Array(MODEL_KEY_BYTES)))
    throw new TypeError(
      `a model key has ${MODEL_KEY_BYTES} bytes that are not all zero, and this has ${received.length}`,
    )
  return createSecretKey(received)
}
