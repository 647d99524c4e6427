/**
 * What does a key that never leaves do for whoever may use it? `decrypt`: opens what was encrypted under it, AES-256-GCM.
 * `sign`: signs bytes, with Ed25519, P-256 (ES256) or RSA (RS256), as JOSE writes signatures (RFC 7518 section 3, RFC 8037).
 */
import {
  createDecipheriv,
  createPrivateKey,
  type KeyObject,
  sign as nodeSign,
  type SignKeyObjectInput,
} from 'node:crypto'
import { concat } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { ResourceUse } from './release-ports.ts'

export type Operation = Exclude<ResourceUse, 'release'>

/** Bytes: of what is signed, and of iv, tag and ciphertext together. */
export const LARGEST_INPUT = 64 * 1024

const KEY_SIZE = 32
const IV_SIZE = 12
const TAG_SIZE = 16
const SMALLEST_RSA_BITS = 2048

/**
 * Throws Problem: `operation-refused` for input that the key does not open or that is too long, `configuration-invalid` for
 * a key that cannot do this.
 */
export async function operate(
  operation: Operation,
  key: Uint8Array,
  input: Uint8Array,
): Promise<Uint8Array> {
  if (input.length > LARGEST_INPUT)
    throw new Problem(
      'operation-refused',
      `the input has ${input.length} bytes, and at most ${LARGEST_INPUT} are taken`,
    )
  return operation === 'decrypt' ? decrypt(key, input) : await sign(key, input)
}

/** Why this secret is no key for `use`, as a sentence for operators; undefined where it is one. For whoever puts it there. */
export function keyMistake(use: ResourceUse, secret: Uint8Array): string | undefined {
  if (use === 'release') return undefined
  if (use === 'decrypt')
    return secret.length === KEY_SIZE
      ? undefined
      : `an AES-256 key has ${KEY_SIZE} bytes, and this has ${secret.length}`
  return signingKeyOf(secret)
    ? undefined
    : `a signing key is Ed25519, P-256 or RSA of at least ${SMALLEST_RSA_BITS} bits, in PKCS #8 (PEM or DER, not encrypted)`
}

/** Which byte of what was changed is not told: there is one answer. */
function decrypt(key: Uint8Array, input: Uint8Array): Uint8Array {
  const mistake = keyMistake('decrypt', key)
  if (mistake) throw unusable(mistake)
  const ciphertextAt = IV_SIZE + TAG_SIZE
  if (input.length < ciphertextAt)
    throw new Problem(
      'operation-refused',
      `the input has ${input.length} bytes, and iv and tag alone have ${ciphertextAt}`,
    )
  const cipher = createDecipheriv('aes-256-gcm', key, input.subarray(0, IV_SIZE), {
    authTagLength: TAG_SIZE,
  })
  cipher.setAuthTag(input.subarray(IV_SIZE, ciphertextAt))
  const opened = cipher.update(input.subarray(ciphertextAt))
  try {
    return concat(opened, cipher.final())
  } catch {
    throw new Problem('operation-refused', 'the input was not encrypted under this key')
  }
}

/** On the thread pool: RSA takes a millisecond or more. */
async function sign(secret: Uint8Array, input: Uint8Array): Promise<Uint8Array> {
  const key = signingKeyOf(secret)
  if (!key) throw unusable(keyMistake('sign', secret) ?? 'it signs nothing')
  const signing: SignKeyObjectInput = { key, dsaEncoding: 'ieee-p1363' }
  const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  const signature = await new Promise<Uint8Array>((resolve, reject) =>
    nodeSign(digest, input, signing, (error, made) => (error ? reject(error) : resolve(made))),
  )
  return new Uint8Array(signature)
}

/** Undefined for what is no private key of these kinds. */
function signingKeyOf(secret: Uint8Array): KeyObject | undefined {
  const key = privateKeyOf(secret)
  switch (key?.asymmetricKeyType) {
    case 'ed25519':
      return key
    case 'ec':
      return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined
    case 'rsa':
      return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= SMALLEST_RSA_BITS ? key : undefined
    default:
      return undefined
  }
}

/** OpenSSL's words about it might hold a piece of it. */
function privateKeyOf(secret: Uint8Array): KeyObject | undefined {
  // The same bytes, and no copy that nobody overwrites.
  const key = Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength)
  try {
    return key.toString('latin1', 0, PEM.length) === PEM
      ? createPrivateKey({ key, format: 'pem' })
      : createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  } catch {
    return undefined
  }
}

const PEM = '-----BEGIN PRIVATE KEY-----'

function unusable(mistake: string): Problem {
  return new Problem('configuration-invalid', `the resource cannot be used in this way: ${mistake}`)
}
