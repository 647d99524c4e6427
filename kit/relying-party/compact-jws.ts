/** What does a compact JWS say, and did this key sign it? RFC 7515 section 7.1; nothing in it is believed before. */
import { fromBase64Url, type Json, jsonObject } from './base64url.ts'

export interface CompactJws {
  readonly header: Json
  readonly payload: Json
  /** As received. */
  readonly signed: Uint8Array<ArrayBuffer>
  readonly signature: Uint8Array<ArrayBuffer>
}

export type Algorithm = 'ES256' | 'RS256'

/** RFC 7518 section 3: parameters for WebCrypto, and the members of a public key, of which only these are looked at. */
const algorithms = {
  ES256: {
    imported: { name: 'ECDSA', namedCurve: 'P-256' },
    verified: { name: 'ECDSA', hash: 'SHA-256' },
  },
  RS256: {
    imported: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    verified: { name: 'RSASSA-PKCS1-v1_5' },
  },
} as const

/** 2048 bits; nobody needs more than 4096, and the work grows with it. */
const RSA_BYTES = [256, 512] as const

export interface PublicKey {
  readonly alg: Algorithm
  /** What each runtime calls it in its own types. */
  readonly key: Parameters<typeof crypto.subtle.verify>[1]
}

/** Undefined for anything but three parts in canonical base64url, of which the first two are JSON objects. */
export function decodeCompactJws(text: string, mostCharacters: number): CompactJws | undefined {
  if (text.length > mostCharacters) return undefined
  const parts = text.split('.')
  const [header, payload, signature] = parts.map(fromBase64Url)
  if (parts.length !== 3 || !header || !payload || !signature) return undefined
  const [head, body] = [jsonObject(header), jsonObject(payload)]
  if (!head || !body) return undefined
  const signed = new TextEncoder().encode(text.slice(0, text.lastIndexOf('.')))
  return { header: head, payload: body, signed, signature }
}

export async function isSignedBy(
  { signed, signature }: CompactJws,
  { alg, key }: PublicKey,
): Promise<boolean> {
  return await crypto.subtle.verify(algorithms[alg].verified, key, signature, signed)
}

/** The members that say which key it is, and no others: what else a JWK says about itself is for others. */
export function publicMembers(jwk: Json): Readonly<Record<string, string>> | undefined {
  const { kty, crv, x, y, n, e } = jwk
  if (kty === 'EC' && crv === 'P-256' && isBytes(x, [32, 32]) && isBytes(y, [32, 32]))
    return { crv, kty, x, y }
  // The exponent that everybody uses: others are slow, or unsafe.
  if (kty === 'RSA' && isBytes(n, RSA_BYTES) && e === 'AQAB') return { e, kty, n }
  return undefined
}

/** Undefined for a key that is none of ours: another kind, size or curve, a point that is not on it. */
export async function importPublicKey(jwk: Json): Promise<PublicKey | undefined> {
  const members = publicMembers(jwk)
  if (!members) return undefined
  const alg = members.kty === 'EC' ? 'ES256' : 'RS256'
  try {
    const { imported } = algorithms[alg]
    return { alg, key: await crypto.subtle.importKey('jwk', members, imported, false, ['verify']) }
  } catch {
    return undefined
  }
}

function isBytes(value: unknown, [least, most]: readonly [number, number]): value is string {
  const size = typeof value === 'string' && value.length < 1024 && fromBase64Url(value)?.length
  return typeof size === 'number' && size >= least && size <= most
}
