/**
 * Secrets at rest: AES-256-GCM under a data key of their own, with what the row is called as associated data, so that a
 * database that swaps two rows gets neither opened; and the data key wrapped under the key-encryption key. Stored as
 * version (1) || id of the key-encryption key (8) || length of what follows (2) || wrapped data key || IV (12) || tag (16)
 * || ciphertext. Whoever can write the database can put an older envelope of the same name back: that is for what names it
 * (a version, a revocation) to notice.
 */
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import { concat, sameBytes, toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import {
  KEY_ENCRYPTION_ID_SIZE,
  type KeyEncryption,
  type KeyEncryptions,
} from './key-encryption.ts'
import type { Random } from './ports.ts'

const VERSION = 2
const ID_ENDS = 1 + KEY_ENCRYPTION_ID_SIZE
const HEADER_SIZE = ID_ENDS + 2
const DATA_KEY_SIZE = 32
const LARGEST_WRAPPED_KEY = 4096
const IV_SIZE = 12
const TAG_SIZE = 16

/** With what an envelope is made. */
export interface Sealing {
  readonly encryption: KeyEncryption
  readonly random: Random
}

/** `associated`: one text for each thing that is ever sealed, made of nothing secret. */
export async function sealEnvelope(
  secret: Uint8Array,
  associated: string,
  { encryption, random }: Sealing,
): Promise<Uint8Array> {
  const dataKey = random.bytes(DATA_KEY_SIZE)
  const iv = random.bytes(IV_SIZE)
  const wrapped = await encryption.wrap(dataKey)
  if (wrapped.length === 0 || wrapped.length > LARGEST_WRAPPED_KEY)
    throw new Error(`${encryption.name} wrapped a data key into ${wrapped.length} bytes`)
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(dataKey), iv)
  cipher.setAAD(encoded(associated))
  const ciphertext = concat(cipher.update(secret), cipher.final())
  dataKey.fill(0)
  return concat(
    headerOf(encryption.id, wrapped.length),
    wrapped,
    iv,
    cipher.getAuthTag(),
    ciphertext,
  )
}

export interface NamedEnvelope {
  readonly sealed: Uint8Array
  /** As it was sealed with. */
  readonly associated: string
  /** How operators know it: `key k1 (challenge)`. */
  readonly called: string
}

/**
 * Rejects when none of the key-encryption keys is the one that it was sealed under, or the row was altered; with a Problem
 * where whoever holds the key-encryption key does not answer.
 */
export async function openEnvelope(
  { sealed, associated, called }: NamedEnvelope,
  encryptions: KeyEncryptions,
): Promise<Uint8Array> {
  const parts = partsOf(sealed)
  if (!parts) throw new Error(`${called} is not sealed in a form that this version knows`)
  const encryption = encryptions.find(({ id }) => sameBytes(id, parts.id))
  if (!encryption)
    throw new Error(
      `${called} does not open: it is sealed under the key-encryption key ${toHex(parts.id)}, and this service has ${encryptions.map(({ id }) => toHex(id)).join(', ')}`,
    )
  let dataKey: Uint8Array | undefined
  try {
    dataKey = await encryption.unwrap(parts.wrapped)
    const decipher = createDecipheriv('aes-256-gcm', createSecretKey(dataKey), parts.iv, {
      authTagLength: TAG_SIZE,
    })
      .setAAD(encoded(associated))
      .setAuthTag(parts.tag)
    const [opened, last] = [decipher.update(parts.ciphertext), decipher.final()]
    const secret = concat(opened, last)
    opened.fill(0)
    return secret
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    // A holder that refuses knows more than that the bytes do not fit.
    const said = dataKey || !(cause instanceof Error) ? '' : ` (${cause.message})`
    throw new Error(
      `${called} does not open under ${encryption.name}${said}: the database was altered, or what holds the key-encryption key failed`,
      { cause },
    )
  } finally {
    dataKey?.fill(0)
  }
}

/** Id of the key-encryption key. Undefined for what this version did not write. */
export function envelopeUnder(sealed: Uint8Array): Uint8Array | undefined {
  return partsOf(sealed)?.id
}

function headerOf(id: Uint8Array, wrappedSize: number): Uint8Array {
  if (id.length !== KEY_ENCRYPTION_ID_SIZE) throw new RangeError('the id has a wrong size')
  return concat(Uint8Array.of(VERSION), id, Uint8Array.of(wrappedSize >> 8, wrappedSize & 0xff))
}

function partsOf(sealed: Uint8Array) {
  const wrappedSize = ((sealed[ID_ENDS] ?? 0) << 8) | (sealed[ID_ENDS + 1] ?? 0)
  const ivAt = HEADER_SIZE + wrappedSize
  const tagAt = ivAt + IV_SIZE
  if (sealed[0] !== VERSION || wrappedSize === 0 || wrappedSize > LARGEST_WRAPPED_KEY) return
  if (sealed.length <= tagAt + TAG_SIZE) return undefined
  return {
    id: sealed.subarray(1, ID_ENDS),
    wrapped: sealed.subarray(HEADER_SIZE, ivAt),
    iv: sealed.subarray(ivAt, tagAt),
    tag: sealed.subarray(tagAt, tagAt + TAG_SIZE),
    ciphertext: sealed.subarray(tagAt + TAG_SIZE),
  }
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
