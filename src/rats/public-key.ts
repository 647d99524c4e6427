/** Public keys as agents bring them: P-256 in exactly the members that RFC 7638 hashes, so that a key has one thumbprint. */
import { createHash } from 'node:crypto'
import { toBase64Url } from '../bytes/encoding.ts'
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
  return toBase64Url(createHash('sha256').update(canonicalJson({ crv, kty, x, y })).digest())
}
