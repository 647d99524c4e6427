/**
 * How are bytes sealed to a P-256 key, with context that both sides must agree on? HPKE, base mode, one message (RFC 9180
 * section 6.1): DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Base mode says nothing about who sealed: anybody who
 * knows the public key can. What says so is the signature around it (release-envelope.ts).
 */
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core'
import { concat } from '../bytes/encoding.ts'
import { type PublicKey, pointOf } from '../rats/public-key.ts'
import { recentValues } from '../recent-values.ts'

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
  const recipientPublicKey = await imported(recipient)
  const { ct, enc } = await suite.seal({ recipientPublicKey, info }, plaintext, aad)
  return { enc: new Uint8Array(enc), ct: new Uint8Array(ct) }
}

/** Rejects unless it was sealed to this key, under this very context. */
export async function hpkeOpen(
  { privateKey, publicKey }: HpkeRecipient,
  { enc, ct }: HpkeMessage,
  { info, aad }: HpkeContext,
): Promise<Uint8Array> {
  // A pair: from a private key alone the library would have to export it, which an enclave's key does not allow.
  const recipientKey = { privateKey, publicKey: await imported(publicKey) }
  return new Uint8Array(await suite.open({ recipientKey, enc, info }, ct, aad))
}

/** An agent asks again and again with the same key, and to import one costs a sixth of what sealing to it does. */
const MOST_IMPORTED = 4096
const known = recentValues<CryptoKey>(MOST_IMPORTED, () => 1)
/** SEC 1 section 2.3.3: what follows is X || Y. */
const UNCOMPRESSED = Uint8Array.of(4)

async function imported(key: PublicKey): Promise<CryptoKey> {
  const name = `${key.x}.${key.y}`
  const before = known.get(name)
  if (before) return before
  const point = pointOf(key)
  if (!point) throw new TypeError('a P-256 key has two coordinates of 32 bytes')
  // Whether it is on the curve, the import finds out.
  const made = await suite.kem.deserializePublicKey(concat(UNCOMPRESSED, point))
  known.put(name, made)
  return made
}
