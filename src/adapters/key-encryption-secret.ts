/** A key-encryption key that this process holds itself: what a file or a variable gave it. */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { concat } from '../bytes/encoding.ts'
import { KEY_ENCRYPTION_ID_SIZE, type KeyEncryption } from '../service/key-encryption.ts'

const IV_SIZE = 12
const TAG_SIZE = 16

/** `secret`: 32 bytes from a CSPRNG. Wrapped as IV (12) || tag (16) || AES-256-GCM of the data key. */
export function keyEncryptionBySecret(
  name: 'file' | 'environment',
  secret: Uint8Array,
): KeyEncryption {
  // Of bytes Node would make one each time, for more than the decryption costs.
  const key = createSecretKey(secret)
  return {
    name,
    id: idOf(key),
    async wrap(dataKey) {
      const iv = randomBytes(IV_SIZE)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(PURPOSE)
      const ciphertext = concat(cipher.update(dataKey), cipher.final())
      return concat(iv, cipher.getAuthTag(), ciphertext)
    },
    async unwrap(wrapped) {
      if (wrapped.length <= IV_SIZE + TAG_SIZE) throw new Error('too short for a wrapped data key')
      const iv = wrapped.subarray(0, IV_SIZE)
      const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_SIZE })
        .setAAD(PURPOSE)
        .setAuthTag(wrapped.subarray(IV_SIZE, IV_SIZE + TAG_SIZE))
      return concat(decipher.update(wrapped.subarray(IV_SIZE + TAG_SIZE)), decipher.final())
    },
  }
}

const PURPOSE = Buffer.from('vouchsafe/data-key/v1')

/** Tells one secret from another and nothing more of it: they are random, so that nobody can try them all. */
function idOf(key: KeyObject): Uint8Array {
  const code = createHmac('sha256', key).update('vouchsafe/key-encryption-key-id/v1').digest()
  return new Uint8Array(code.subarray(0, KEY_ENCRYPTION_ID_SIZE))
}
