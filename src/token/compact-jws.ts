/** What does a compact JWS say, and did this key sign it? RFC 7515 section 7.1, for what others sent: nothing in it is believed before. */
import { type KeyObject, verify } from 'node:crypto'
import { fromBase64Url } from '../bytes/encoding.ts'
import { derFromBigEndian } from '../pki/ecdsa-value.ts'

export interface CompactJws {
  /** JSON as it was parsed: of any shape. */
  readonly header: unknown
  readonly payload: unknown
  /** The bytes that were signed, as received. */
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

/** Undefined for anything but three parts in canonical base64url, of which the first two are JSON in UTF-8. */
export function decodeCompactJws(text: string): CompactJws | undefined {
  const parts = text.split('.')
  const [header, payload, signature] = parts.map((part) => fromBase64Url(part))
  if (parts.length !== 3 || !header || !payload || !signature) return undefined
  try {
    return {
      header: jsonOf(header),
      payload: jsonOf(payload),
      signed: Buffer.from(text.slice(0, text.lastIndexOf('.')), 'latin1'),
      signature,
    }
  } catch {
    return undefined
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function jsonOf(bytes: Uint8Array): unknown {
  return JSON.parse(utf8.decode(bytes))
}

/** RFC 7518 section 3.4. The header must have been checked to say ES256. */
export function isSignedByEs256({ signed, signature }: CompactJws, key: KeyObject): boolean {
  if (signature.length !== 64) return false
  const der = derFromBigEndian(signature.subarray(0, 32), signature.subarray(32))
  return verify('sha256', signed, key, der)
}
