/**
 * How are bytes sealed to a P-256 key, with context that both sides must agree on? HPKE, base mode, one message (RFC 9180
 * section 6.1): DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Base mode says nothing about who sealed: anybody who
 * knows the public key can. What says so is the signature around it (release-envelope.ts).
 */
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core'
import { concat } from '../bytes/encoding.ts'
import { type PublicKey, pointOf } from '../rats/public-key.ts'
import { RecipientPoint, senderSuite } from './hpke-sender.ts'

export interface HpkeMessage {
  /** The encapsulated key: an uncompressed point, 65 bytes. */
  readonly enc: Uint8Array
  /** Ciphertext and 16 bytes of tag. */
  readonly ct: Uint8Array
}

/** What both sides must put in alike. */
export interface HpkeContext {
  readonly info: Uint8Array
  readonly aad: Uint8Array
}

/** The private key need not be extractable; its public half is part of what HPKE derives from. */
export interface HpkeRecipient {
  readonly privateKey: CryptoKey
  readonly publicKey: PublicKey
}

type CryptoKey = Parameters<DhkemP256HkdfSha256['serializePublicKey']>[0]

const suite = new CipherSuite({
  kem: new DhkemP256HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
})

/** Rejects for what is no point on P-256. */
export async function hpkeSeal(
  recipient: PublicKey,
  plaintext: Uint8Array,
  { info, aad }: HpkeContext,
): Promise<HpkeMessage> {
  const recipientPublicKey = new RecipientPoint(uncompressed(recipient))
  const { ct, enc } = await senderSuite.seal({ recipientPublicKey, info }, plaintext, aad)
  return { enc: new Uint8Array(enc), ct: new Uint8Array(ct) }
}

/** Rejects unless it was sealed to this key, under this very context. */
export async function hpkeOpen(
  { privateKey, publicKey }: HpkeRecipient,
  { enc, ct }: HpkeMessage,
  { info, aad }: HpkeContext,
): Promise<Uint8Array> {
  // A pair: from a private key alone the library would have to export it, which an enclave's key does not allow.
  const recipientKey = {
    privateKey,
    publicKey: await suite.kem.deserializePublicKey(uncompressed(publicKey)),
  }
  return new Uint8Array(await suite.open({ recipientKey, enc, info }, ct, aad))
}

/** SEC 1 section 2.3.3. Throws TypeError; whether the point is on the curve, whoever uses it finds out. */
function uncompressed(key: PublicKey): Uint8Array {
  const point = pointOf(key)
  if (!point) throw new TypeError('a P-256 key has two coordinates of 32 bytes')
  return concat(UNCOMPRESSED, point)
}

const UNCOMPRESSED = Uint8Array.of(4)
