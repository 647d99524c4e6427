/**
 * How does the service seal so often? The schedule of HPKE is @hpke/core's; encapsulation, HMAC and AES below it are node:crypto's,
 * called at once. Through WebCrypto each of the dozen steps of one message waits for a thread of its own, which takes three
 * to four times the CPU of the work. Only for sealing: an agent opens rarely, and its key may be one that WebCrypto does not
 * let out.
 */
import {
  createCipheriv,
  createECDH,
  createHmac,
  createSecretKey,
  type KeyObject,
} from 'node:crypto'
import {
  type AeadEncryptionContext,
  Aes256Gcm,
  CipherSuite,
  DhkemP256HkdfSha256,
  HkdfSha256,
  KemId,
  type SenderContextParams,
} from '@hpke/core'
import { concat } from '../bytes/encoding.ts'

type Bytes = ArrayBufferLike | ArrayBufferView

const HASH_SIZE = 32
const TAG_SIZE = 16
const NONE = new Uint8Array()
const encoder = new TextEncoder()
const EAE_PRK = encoder.encode('eae_prk')
const SHARED_SECRET = encoder.encode('shared_secret')
/** RFC 9180 section 4.1: "KEM" || I2OSP(kem_id, 2). */
const KEM_SUITE = concat(encoder.encode('KEM'), Uint8Array.of(0, KemId.DhkemP256HkdfSha256))

/** An uncompressed point, 65 bytes, as whoever it names brought it: whether it is on the curve is found out when it is used. */
export class RecipientPoint {
  readonly type = 'public'
  readonly extractable = true
  readonly algorithm = { name: 'ECDH', namedCurve: 'P-256' }
  readonly usages = []
  readonly point: Uint8Array

  constructor(point: Uint8Array) {
    this.point = point
  }
}

/** RFC 5869 over HMAC-SHA-256. */
class NodeHkdf extends HkdfSha256 {
  override async extract(salt: Bytes, ikm: Bytes): Promise<ArrayBuffer> {
    const given = viewOf(salt)
    const key = given.length === 0 ? new Uint8Array(HASH_SIZE) : given
    return exactly(createHmac('sha256', createSecretKey(key)).update(viewOf(ikm)).digest())
  }

  override async expand(prk: Bytes, info: Bytes, length: number): Promise<ArrayBuffer> {
    return expanded(createSecretKey(viewOf(prk)), viewOf(info), length)
  }

  override async extractAndExpand(
    salt: Bytes,
    ikm: Bytes,
    info: Bytes,
    length: number,
  ): Promise<ArrayBuffer> {
    return await this.expand(await this.extract(salt, ikm), info, length)
  }
}

function expanded(prk: KeyObject, info: Uint8Array, length: number): ArrayBuffer {
  if (length > 255 * HASH_SIZE) throw new RangeError('HKDF gives at most 255 blocks')
  const out = new Uint8Array(length)
  let block: Uint8Array = NONE
  for (let filled = 0, n = 1; filled < length; filled += HASH_SIZE, n++) {
    block = createHmac('sha256', prk).update(block).update(info).update(Uint8Array.of(n)).digest()
    out.set(block.subarray(0, length - filled), filled)
  }
  return out.buffer
}

/** RFC 9180 section 4.1, Encap. */
class NodeDhkem extends DhkemP256HkdfSha256 {
  readonly #kdf = new NodeHkdf()

  constructor() {
    super()
    this.#kdf.init(KEM_SUITE)
  }

  override async encap({ recipientPublicKey, senderKey, ekm }: SenderContextParams) {
    if (!(recipientPublicKey instanceof RecipientPoint) || senderKey || ekm)
      throw new TypeError('only base mode, and only to a point')
    const ephemeral = createECDH('prime256v1')
    const enc = ephemeral.generateKeys()
    // Throws for what is not on the curve; P-256 has no other points of small order (section 7.1.4).
    const dh = ephemeral.computeSecret(recipientPublicKey.point)
    const context = concat(enc, recipientPublicKey.point)
    const sharedSecret = await this.#kdf.extractAndExpand(
      NONE,
      this.#kdf.buildLabeledIkm(EAE_PRK, dh),
      this.#kdf.buildLabeledInfo(SHARED_SECRET, context, HASH_SIZE),
      HASH_SIZE,
    )
    return { enc: exactly(enc), sharedSecret }
  }
}

class NodeAes256Gcm extends Aes256Gcm {
  override createEncryptionContext(key: Bytes): SealingContext {
    return new SealingContext(createSecretKey(viewOf(key)))
  }
}

class SealingContext implements AeadEncryptionContext {
  readonly #key: KeyObject

  constructor(key: KeyObject) {
    this.#key = key
  }

  async seal(iv: Bytes, plaintext: Bytes, aad: Bytes): Promise<ArrayBuffer> {
    const cipher = createCipheriv('aes-256-gcm', this.#key, viewOf(iv), {
      authTagLength: TAG_SIZE,
    }).setAAD(viewOf(aad))
    const body = cipher.update(viewOf(plaintext))
    cipher.final()
    return exactly(concat(body, cipher.getAuthTag()))
  }

  async open(): Promise<never> {
    throw new TypeError('this suite seals only')
  }
}

export const senderSuite = new CipherSuite({
  kem: new NodeDhkem(),
  kdf: new NodeHkdf(),
  aead: new NodeAes256Gcm(),
})

function viewOf(bytes: Bytes): Uint8Array {
  return ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes)
}

/** Node's own buffers may lie in a pool that others share. */
function exactly(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
