/**
 * Private keys at rest: AES-256-GCM under a data key of their own, with purpose and key id as associated data, so that a
 * database that swaps two rows gets neither opened; and the data key wrapped under the key-encryption key. Stored as
 * version (1) || id of the key-encryption key (8) || length of what follows (2) || wrapped data key || IV (12) || tag (16)
 * || ciphertext.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { concat, sameBytes, toHex } from '../bytes/encoding.ts'
import {
  KEY_ENCRYPTION_ID_SIZE,
  type KeyEncryption,
  type KeyEncryptions,
} from './key-encryption.ts'
import type { Random } from './ports.ts'
import type { SealedKey } from './token-ports.ts'

const VERSION = 2
const ID_ENDS = 1 + KEY_ENCRYPTION_ID_SIZE
const HEADER_SIZE = ID_ENDS + 2
const DATA_KEY_SIZE = 32
const LARGEST_WRAPPED_KEY = 4096
const IV_SIZE = 12
const TAG_SIZE = 16

type KeyName = Pick<SealedKey, 'kid' | 'purpose'>

export async function sealKey(
  name: KeyName,
  secret: Uint8Array,
  { encryption, random }: { readonly encryption: KeyEncryption; readonly random: Random },
): Promise<Uint8Array> {
  const dataKey = random.bytes(DATA_KEY_SIZE)
  const iv = random.bytes(IV_SIZE)
  const wrapped = await encryption.wrap(dataKey)
  if (wrapped.length === 0 || wrapped.length > LARGEST_WRAPPED_KEY)
    throw new Error(`${encryption.name} wrapped a data key into ${wrapped.length} bytes`)
  const cipher = createCipheriv('aes-256-gcm', dataKey, iv).setAAD(associatedData(name))
  const ciphertext = concat(cipher.update(secret), cipher.final())
  return concat(
    headerOf(encryption.id, wrapped.length),
    wrapped,
    iv,
    cipher.getAuthTag(),
    ciphertext,
  )
}

/** Rejects when none of the key-encryption keys is the one that it was sealed under, or the row was altered. */
export async function openKey(
  { kid, purpose, sealed }: Pick<SealedKey, 'kid' | 'purpose' | 'sealed'>,
  encryptions: KeyEncryptions,
): Promise<Uint8Array> {
  const parts = partsOf(sealed)
  if (!parts) throw new Error(`key ${kid} is not sealed in a form that this version knows`)
  const encryption = encryptions.find(({ id }) => sameBytes(id, parts.id))
  if (!encryption)
    throw new Error(
      `key ${kid} (${purpose}) does not open: it is sealed under the key-encryption key ${toHex(parts.id)}, and this service has ${encryptions.map(({ id }) => toHex(id)).join(', ')}`,
    )
  try {
    const dataKey = await encryption.unwrap(parts.wrapped)
    const decipher = createDecipheriv('aes-256-gcm', dataKey, parts.iv, {
      authTagLength: TAG_SIZE,
    })
      .setAAD(associatedData({ kid, purpose }))
      .setAuthTag(parts.tag)
    return concat(decipher.update(parts.ciphertext), decipher.final())
  } catch (cause) {
    throw new Error(
      `key ${kid} (${purpose}) does not open under ${encryption.name}: the database was altered, or what holds the key-encryption key failed`,
      { cause },
    )
  }
}

/**
 * Sealed directly under a key-encryption key, by versions whose keys were good for minutes: such a key is as good as
 * none. Unlike a form of the future, which somebody may still need.
 */
export function isForgotten({ sealed }: Pick<SealedKey, 'sealed'>): boolean {
  return sealed[0] === 1
}

/** Undefined for what this version did not write. */
export function sealedUnder({ sealed }: Pick<SealedKey, 'sealed'>): Uint8Array | undefined {
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

function associatedData({ kid, purpose }: KeyName): Uint8Array {
  return new TextEncoder().encode(`vouchsafe/sealed-key/v2\0${purpose}\0${kid}`)
}
