/**
 * What two agents agreed on, put to use: each message is encrypted for the other, in order, once. The keys come from two keys
 * that were made for this exchange and are forgotten with it, so whoever only relayed the exchange has neither.
 */
import { fromBase64Url, toBase64Url } from '../relying-party/base64url.ts'
import { type Bound, boundText, MutualRefused, type Role } from './mutual-message.ts'

export interface MutualChannel {
  /** Messages come out in the order in which they went in, each once, or not at all. Not more than one at a time. */
  readonly seal: (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>
  /** Throws MutualRefused for anything but the next message; nothing is opened after that. */
  readonly open: (sealed: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>
}

export interface EphemeralKey {
  /** base64url of the public point. */
  readonly key: string
  readonly agree: (theirs: string) => Promise<Uint8Array<ArrayBuffer>>
}

const curve = { name: 'ECDH', namedCurve: 'P-256' } as const

export async function ephemeralKey(): Promise<EphemeralKey> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(curve, false, ['deriveBits'])
  return {
    key: toBase64Url(new Uint8Array(await crypto.subtle.exportKey('raw', publicKey))),
    async agree(theirs) {
      const point = fromBase64Url(theirs) ?? new Uint8Array()
      // Refuses what is not on the curve (SEC 1, section 3.2.2.1).
      const imported = await crypto.subtle.importKey('raw', point, curve, false, []).catch(() => {
        throw new MutualRefused('message-malformed', 'the key of the other agent is no point')
      })
      return new Uint8Array(
        await crypto.subtle.deriveBits({ name: 'ECDH', public: imported }, privateKey, 256),
      )
    },
  }
}

export interface Agreed {
  readonly secret: Uint8Array<ArrayBuffer>
  readonly bound: Bound
  /** Thumbprints of the attested keys: of our own token, and of the token that the other presented. */
  readonly signers: Readonly<Record<Role, string>>
}

/** `role`: our own. */
export async function channelOf(
  role: Role,
  { secret, bound, signers }: Agreed,
): Promise<MutualChannel> {
  // Whatever differs between the two sides makes two keys of it. Who signed is among it: another attested agent can sign the
  // initiator's half in its place, and would be taken for whoever speaks in the channel.
  const agreed = JSON.stringify([
    boundText('initiator', bound),
    ...[signers.initiator, signers.responder],
  ])
  const salt = await crypto.subtle.digest('SHA-256', encoded(agreed))
  const shared = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey'])
  secret.fill(0)
  const keyFrom = async (sender: Role) =>
    await crypto.subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt, info: encoded(`vouchsafe-mutual/v1 ${sender}`) },
      shared,
      { name: 'AES-GCM', length: 256 },
      false,
      ['encrypt', 'decrypt'],
    )
  const [sending, receiving] = await Promise.all([
    keyFrom(role),
    keyFrom(role === 'initiator' ? 'responder' : 'initiator'),
  ])
  let sent = 0
  let received = 0
  let isBroken = false
  return {
    async seal(message) {
      const algorithm = { name: 'AES-GCM', iv: counterOf(sent++) }
      return new Uint8Array(await crypto.subtle.encrypt(algorithm, sending, message))
    },
    async open(sealed) {
      if (isBroken) throw broken()
      try {
        const algorithm = { name: 'AES-GCM', iv: counterOf(received++) }
        return new Uint8Array(await crypto.subtle.decrypt(algorithm, receiving, sealed))
      } catch {
        isBroken = true
        throw broken()
      }
    },
  }
}

/** 12 bytes: a key of one direction never sees one twice. */
function counterOf(count: number): Uint8Array<ArrayBuffer> {
  const iv = new Uint8Array(12)
  new DataView(iv.buffer).setBigUint64(4, BigInt(count))
  return iv
}

function encoded(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

function broken(): MutualRefused {
  return new MutualRefused('channel-broken', 'what came is not the next message of the other agent')
}
