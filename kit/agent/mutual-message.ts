/** What do two agents say to each other before they talk? Three messages in JSON, bounded, and read as an attacker's. */

import {
  fromBase64Url,
  type Json,
  jsonObject,
  objectOf,
  sha256,
} from '../relying-party/base64url.ts'
import { decodeCompactJws } from '../relying-party/compact-jws.ts'

/** Of whoever speaks first: its half of what both are bound to. */
export interface Half {
  /** 32 random bytes, and a P-256 point of 65 bytes, in base64url. */
  readonly nonce: string
  readonly key: string
}

/** A token for the other's name, and a proof by the token's key over both halves. */
export interface Presentation {
  readonly token: string
  readonly proof: string
}

/** The second message. `to`: the nonce of the first. */
export interface Reply extends Half, Presentation {
  readonly to: string
}

/** The third. `to`: the nonce of the second. */
export interface Finish extends Presentation {
  readonly to: string
}

export type Role = 'initiator' | 'responder'

/** Everything that both sides must agree on, or there is somebody in between. */
export interface Bound {
  readonly names: Readonly<Record<Role, string>>
  readonly halves: Readonly<Record<Role, Half>>
  /** base64url of SHA-256 over what names the channel below; empty without. */
  readonly channel: string
}

const PROTOCOL = 'vouchsafe-mutual/v1'
/** A token has 4 KiB, a proof 600 characters. */
const LONGEST = 32 * 1024
const NONCE_BYTES = 32
const POINT_BYTES = 65

export class MutualRefused extends Error {
  override readonly name = 'MutualRefused'
  /** `message-malformed`, `exchange-unknown`, `channel-broken`, or a reason of the relying-party kit. */
  readonly reason: string

  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

/** What a proof in this exchange is about, in the words of RFC 9449: no service of HTTP ever takes it for a request. */
export function provedRequest(role: Role): { readonly method: string; readonly url: string } {
  return { method: 'MUTUAL', url: `urn:vouchsafe:mutual:v1:${role}` }
}

/** What the proof of `role` covers. A list of texts, so that nothing can move from one place to another. */
export function boundText(role: Role, { names, halves, channel }: Bound): string {
  const { initiator, responder } = halves
  return JSON.stringify([
    ...[PROTOCOL, role, names.initiator, names.responder],
    ...[initiator.nonce, initiator.key, responder.nonce, responder.key, channel],
  ])
}

/** Whether the proof names this text. The kit was told so too, where it was not told to let proofs be that name none. */
export async function namesText({ proof }: Presentation, text: string): Promise<boolean> {
  return decodeCompactJws(proof, LONGEST)?.payload.bodySha256 === (await sha256(text))
}

/** Of the key that a token of our own confirms. Throws MutualRefused for a token of another form. */
export function signerOf({ token }: Presentation): string {
  const jkt = objectOf(decodeCompactJws(token, LONGEST)?.payload.cnf)?.jkt
  if (typeof jkt === 'string') return jkt
  throw malformed('our own token confirms no key')
}

export function encoded(message: Half | Reply | Finish): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ protocol: PROTOCOL, ...message }))
}

/** Throws MutualRefused. */
export function decodedHello(bytes: Uint8Array): Half {
  return halfOf(exactly(bytes, ['nonce', 'key']))
}

export function decodedReply(bytes: Uint8Array): Reply {
  const said = exactly(bytes, ['to', 'nonce', 'key', 'token', 'proof'])
  return { to: nonceIn(said, 'to'), ...halfOf(said), ...presentationOf(said) }
}

export function decodedFinish(bytes: Uint8Array): Finish {
  const said = exactly(bytes, ['to', 'token', 'proof'])
  return { to: nonceIn(said, 'to'), ...presentationOf(said) }
}

/** Which of the two that a responder is sent. */
export function isHello(bytes: Uint8Array): boolean {
  return bytes.length <= LONGEST && jsonObject(bytes)?.to === undefined
}

function exactly(bytes: Uint8Array, names: readonly string[]): Json {
  const said = bytes.length <= LONGEST ? jsonObject(bytes) : undefined
  const found = said && Object.keys(said).sort().join()
  if (said?.protocol === PROTOCOL && found === ['protocol', ...names].sort().join()) return said
  throw malformed(`it is no message of ${PROTOCOL} with ${names.join(', ')}`)
}

function halfOf(said: Json): Half {
  const key = textIn(said, 'key')
  if (fromBase64Url(key)?.length !== POINT_BYTES) throw malformed('its key is no point of P-256')
  return { nonce: nonceIn(said, 'nonce'), key }
}

function nonceIn(said: Json, name: string): string {
  const nonce = textIn(said, name)
  if (fromBase64Url(nonce)?.length === NONCE_BYTES) return nonce
  throw malformed(`its ${name} is not ${NONCE_BYTES} bytes in base64url`)
}

function presentationOf(said: Json): Presentation {
  return { token: textIn(said, 'token'), proof: textIn(said, 'proof') }
}

function textIn(said: Json, name: string): string {
  const value = said[name]
  if (typeof value === 'string' && value !== '') return value
  throw malformed(`its ${name} is no text`)
}

function malformed(reason: string): MutualRefused {
  return new MutualRefused(
    'message-malformed',
    `a message of the other agent is refused: ${reason}`,
  )
}
