/** From the public key that an agent brought to one that can be used: a point on the curve, in its one spelling. */
import { type CryptoKey, importJWK } from 'jose'
import { fromBase64Url } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { PublicKey } from '../rats/public-key.ts'

/** Throws Problem('request-malformed'). `name` is the field. */
export async function importPublicKey(
  name: string,
  { kty, crv, x, y }: PublicKey,
  algorithm: 'ES256' | 'ECDH-ES',
): Promise<CryptoKey> {
  try {
    const canonical = [x, y].every((coordinate) => fromBase64Url(coordinate)?.length === 32)
    const key = canonical && (await importJWK({ kty, crv, x, y }, algorithm))
    if (key && !(key instanceof Uint8Array)) return key
  } catch {
    // Refused below in our own words: the library's say nothing about the field.
  }
  throw new Problem('request-malformed', `${name} is not a point on P-256`)
}
