/** Public keys as agents bring them: P-256 in exactly the members that RFC 7638 hashes, so that a key has one thumbprint. */
import { hash } from 'node:crypto'
import { concat, fromBase64Url } from '../bytes/encoding.ts'
import { canonicalJson } from './canonical-json.ts'

export interface PublicKey {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  /** 32 bytes each, base64url. */
  readonly x: string
  readonly y: string
}

/** RFC 7638, SHA-256, base64url. */
export function thumbprintOf({ crv, kty, x, y }: PublicKey): string {
  return hash('sha256', canonicalJson({ crv, kty, x, y }), 'base64url')
}

/** X || Y, 64 bytes. Undefined for another spelling or size; whether it is on the curve is not asked. */
export function pointOf({ x, y }: PublicKey): Uint8Array | undefined {
  const [left, right] = [fromBase64Url(x), fromBase64Url(y)]
  // Two spellings of one point would have two thumbprints.
  return left?.length === 32 && right?.length === 32 ? concat(left, right) : undefined
}
