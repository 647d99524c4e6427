/**
 * A key-encryption key in the transit engine of HashiCorp Vault or OpenBao, which wraps and unwraps data keys and never gives
 * it out (Vault API documentation, "Transit secrets engine", Encrypt data and Decrypt data). Data keys are bound to their
 * purpose with `associated_data`, so that nothing else that is encrypted with the same key passes for one; Vault before 1.13
 * ignores that, which is noticed, and kept with what was wrapped.
 */
import { createHash } from 'node:crypto'
import { sameBytes } from '../bytes/encoding.ts'
import { KEY_ENCRYPTION_ID_SIZE, type KeyEncryption } from '../service/key-encryption.ts'
import { type AskTransit, type TransitPlace, transitAt, unavailable } from './transit-request.ts'

export interface TransitKey extends TransitPlace {
  /** Where the engine is: `transit`. */
  readonly mount: string
  readonly key: string
}

const PURPOSE = Buffer.from('vouchsafe/data-key/v1').toString('base64')
const OTHER_PURPOSE = Buffer.from('vouchsafe/no-purpose').toString('base64')
const DATA_KEY_SIZE = 32
/** A prefix, the version of the key, and base64. */
const CIPHERTEXT = /^vault:v[1-9]\d{0,8}:[A-Za-z0-9+/]{16,2048}={0,2}$/

/** How it is stored: whether the purpose is bound, then the ciphertext as it came. */
const BOUND = 'b'
const UNBOUND = 'u'

/** Keys of two names, mounts or namespaces are different keys; the address may change. */
export function keyEncryptionByTransit(place: TransitKey): KeyEncryption {
  const { namespace, mount, key } = place
  const ask = transitAt(place)
  const name = `transit:${namespace === undefined ? '' : `${namespace}/`}${mount}/${key}`
  const id = createHash('sha256').update(`vouchsafe/key-encryption-transit/v1\0${name}`).digest()
  let binds: boolean | undefined
  return {
    name,
    id: new Uint8Array(id.subarray(0, KEY_ENCRYPTION_ID_SIZE)),
    async wrap(dataKey) {
      const wrapped = await encrypted(ask, place, dataKey)
      // Another purpose opens it only where purposes are ignored.
      binds ??= !('plaintext' in (await decrypted(ask, place, wrapped, OTHER_PURPOSE)))
      // As it will be opened: once there is data under it, it is too late to learn that it cannot be.
      const back = await decrypted(ask, place, wrapped, binds ? PURPOSE : undefined)
      if (!('plaintext' in back) || !sameBytes(back.plaintext, dataKey)) {
        binds = undefined
        throw unavailable('does not give back what it wrapped')
      }
      return Buffer.from(`${binds ? BOUND : UNBOUND}${wrapped}`, 'latin1')
    },
    async unwrap(stored) {
      const text = Buffer.from(stored).toString('latin1')
      const wrapped = text.slice(1)
      const isBound = text.startsWith(BOUND)
      if ((!isBound && !text.startsWith(UNBOUND)) || !CIPHERTEXT.test(wrapped))
        throw new Error('this is no data key that the transit engine wrapped')
      const answer = await decrypted(ask, place, wrapped, isBound ? PURPOSE : undefined)
      if ('plaintext' in answer) return answer.plaintext
      throw new Error(`the transit engine refused to decrypt: ${answer.refused}`)
    },
  }
}

/** Throws Problem: nothing is sealed under a key that does not encrypt. */
async function encrypted(
  ask: AskTransit,
  { mount, key }: TransitKey,
  dataKey: Uint8Array,
): Promise<string> {
  const plaintext = Buffer.from(dataKey).toString('base64')
  const answer = await ask(`${mount}/encrypt/${key}`, { plaintext, associated_data: PURPOSE })
  if ('refused' in answer) throw unavailable(`refused to encrypt: ${answer.refused}`)
  const ciphertext = memberOf(answer.data, 'ciphertext')
  if (typeof ciphertext === 'string' && CIPHERTEXT.test(ciphertext)) return ciphertext
  throw unavailable('answered without a ciphertext')
}

async function decrypted(
  ask: AskTransit,
  { mount, key }: TransitKey,
  ciphertext: string,
  purpose: string | undefined,
): Promise<{ readonly plaintext: Uint8Array } | { readonly refused: string }> {
  const answer = await ask(`${mount}/decrypt/${key}`, {
    ciphertext,
    ...(purpose !== undefined && { associated_data: purpose }),
  })
  if ('refused' in answer) return answer
  const text = memberOf(answer.data, 'plaintext')
  const plaintext = Buffer.from(typeof text === 'string' ? text : '', 'base64')
  if (plaintext.length !== DATA_KEY_SIZE) return { refused: 'what it gave is no data key' }
  return { plaintext: new Uint8Array(plaintext) }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
