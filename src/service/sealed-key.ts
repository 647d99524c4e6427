/**
 * Private keys at rest: AES-256-GCM under the key-encryption key, with purpose and key id as associated data, so that a
 * database that swaps two rows gets neither opened. Stored as version (1) || IV (12) || tag (16) || ciphertext.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { concat } from '../bytes/encoding.ts'
import type { KeyPurpose, SealedKey } from './ports.ts'

const VERSION = 1
const IV_SIZE = 12
const TAG_SIZE = 16

interface KeyName {
  readonly kid: string
  readonly purpose: KeyPurpose
}

/** `kek`: 32 bytes. `iv`: 12 bytes from a CSPRNG, never used before under this key. */
export function sealKey(
  name: KeyName,
  secret: Uint8Array,
  { kek, iv }: { readonly kek: Uint8Array; readonly iv: Uint8Array },
): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', kek, iv).setAAD(associatedData(name))
  const ciphertext = concat(cipher.update(secret), cipher.final())
  return concat(new Uint8Array([VERSION]), iv, cipher.getAuthTag(), ciphertext)
}

/** Throws when the key-encryption key is another one, or the row was altered. */
export function openKey({ sealed, ...name }: SealedKey, kek: Uint8Array): Uint8Array {
  if (sealed[0] !== VERSION || sealed.length <= 1 + IV_SIZE + TAG_SIZE)
    throw new Error(`key ${name.kid} is not sealed in a form that this version knows`)
  const [iv, tag, ciphertext] = [
    sealed.subarray(1, 1 + IV_SIZE),
    sealed.subarray(1 + IV_SIZE, 1 + IV_SIZE + TAG_SIZE),
    sealed.subarray(1 + IV_SIZE + TAG_SIZE),
  ]
  const decipher = createDecipheriv('aes-256-gcm', kek, iv, { authTagLength: TAG_SIZE })
    .setAAD(associatedData(name))
    .setAuthTag(tag)
  try {
    return concat(decipher.update(ciphertext), decipher.final())
  } catch {
    throw new Error(
      `key ${name.kid} (${name.purpose}) does not open: the key-encryption key is another one than when it was made, or the database was altered`,
    )
  }
}

function associatedData({ kid, purpose }: KeyName): Uint8Array {
  return new TextEncoder().encode(`vouchsafe/sealed-key/v1\0${purpose}\0${kid}`)
}
