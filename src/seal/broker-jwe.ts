/**
 * How is a secret sealed to the key of a stock Key Broker client? A flattened JWE (RFC 7516 section 7.2.2) with A256GCM, whose
 * content key is wrapped by ECDH-ES+A256KW (RFC 7518 section 4.6) or RSA-OAEP-256 (section 4.3).
 *
 * That client does not authenticate the header that it received: it parses it, and writes it again as `alg`, `enc` and then
 * the rest, sorted or in the order received, as it was built. Only a header that is its own re-serialisation both ways opens
 * there, which is why jose does not make it: it writes `epk` as x, crv, kty, y. jose opens what is made here, in the tests.
 */
import {
  constants,
  createCipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
} from 'node:crypto'
import { toBase64Url } from '../bytes/encoding.ts'
import { concatKdf } from './concat-kdf.ts'

/** The public key of such a client, in exactly the members that its evidence is bound to. */
export type BrokerKey = EcBrokerKey | RsaBrokerKey

export interface EcBrokerKey {
  readonly kty: 'EC'
  readonly crv: 'P-256' | 'P-521'
  readonly alg: 'ECDH-ES+A256KW'
  readonly x: string
  readonly y: string
}

export interface RsaBrokerKey {
  readonly kty: 'RSA'
  readonly alg: 'RSA-OAEP-256'
  readonly n: string
  readonly e: string
}

/** All base64url without padding. */
export interface FlattenedJwe {
  readonly protected: string
  readonly encrypted_key: string
  readonly iv: string
  readonly ciphertext: string
  readonly tag: string
}

const ENCRYPTION = 'A256GCM'
const LEAST_RSA_BITS = 2048
/** Whoever brings the key chooses how long we calculate with it. */
const MOST_RSA_BITS = 4096

/**
 * Undefined for what is no point on its curve, an RSA key of a size or exponent that nobody should use, or one in another
 * spelling than the only one (RFC 7518 section 6.3.1): a key that is revoked by its thumbprint must not have a second.
 */
export function importBrokerKey(key: BrokerKey): KeyObject | undefined {
  try {
    switch (key.kty) {
      case 'EC': {
        const { kty, crv, x, y } = key
        return createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
      }
      case 'RSA': {
        const { kty, n, e } = key
        const imported = createPublicKey({ key: { kty, n, e }, format: 'jwk' })
        const { modulusLength = 0, publicExponent = 0n } = imported.asymmetricKeyDetails ?? {}
        const isUsable =
          modulusLength >= LEAST_RSA_BITS &&
          modulusLength <= MOST_RSA_BITS &&
          publicExponent === 65537n
        return isUsable && isOdd(n) && isSpelt({ n, e }, imported) ? imported : undefined
      }
    }
  } catch {
    return undefined
  }
}

/** An even modulus imports, and fails only when something is encrypted. */
function isOdd(modulus: string): boolean {
  return ((Buffer.from(modulus, 'base64url').at(-1) ?? 0) & 1) === 1
}

function isSpelt({ n, e }: Pick<RsaBrokerKey, 'n' | 'e'>, key: KeyObject): boolean {
  const written = key.export({ format: 'jwk' })
  return written.n === n && written.e === e
}

/** `contentKey`: 32 random bytes, which are overwritten; `iv`: 12. The key must have been imported, and be of this JWK. */
export function sealToBrokerKey(
  { jwk, key }: { readonly jwk: BrokerKey; readonly key: KeyObject },
  plaintext: Uint8Array,
  { contentKey, iv }: { readonly contentKey: Uint8Array; readonly iv: Uint8Array },
): FlattenedJwe {
  const { header, encryptedKey } =
    jwk.kty === 'EC' ? agreed(jwk, key, contentKey) : encrypted(key, contentKey)
  const protectedHeader = toBase64Url(Buffer.from(header))
  const cipher = createCipheriv('aes-256-gcm', contentKey, iv)
  contentKey.fill(0)
  // RFC 7516 section 5.1 step 14: the header as it is written, in ASCII.
  cipher.setAAD(Buffer.from(protectedHeader, 'latin1'))
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return {
    protected: protectedHeader,
    encrypted_key: toBase64Url(encryptedKey),
    iv: toBase64Url(iv),
    ciphertext: toBase64Url(ciphertext),
    tag: toBase64Url(cipher.getAuthTag()),
  }
}

interface Wrapped {
  readonly header: string
  readonly encryptedKey: Uint8Array
}

const AGREEMENT = 'ECDH-ES+A256KW'
const wrappingKey = concatKdf(AGREEMENT)

function agreed({ crv }: EcBrokerKey, key: KeyObject, contentKey: Uint8Array): Wrapped {
  const ephemeral = generateKeyPairSync('ec', { namedCurve: crv })
  const { x, y } = ephemeral.publicKey.export({ format: 'jwk' })
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: key })
  const wrapping = wrappingKey(secret)
  const wrap = createCipheriv('id-aes256-wrap', wrapping, WRAP_IV)
  const encryptedKey = Buffer.concat([wrap.update(contentKey), wrap.final()])
  wrapping.fill(0)
  // The order is the contract: sorted, and as the client's types have it.
  const header = { alg: AGREEMENT, enc: ENCRYPTION, epk: { crv, kty: 'EC', x, y } }
  return { header: JSON.stringify(header), encryptedKey }
}

function encrypted(key: KeyObject, contentKey: Uint8Array): Wrapped {
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  return {
    header: JSON.stringify({ alg: 'RSA-OAEP-256', enc: ENCRYPTION }),
    encryptedKey: publicEncrypt({ key, padding, oaepHash: 'sha256' }, contentKey),
  }
}

/** RFC 3394 section 2.2.3.1. */
const WRAP_IV = Buffer.alloc(8, 0xa6)
