/** From the public key that an agent brought to one that can be used: a point on the curve, in its one spelling. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { fromBase64Url } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { PublicKey } from '../rats/public-key.ts'

/** Throws Problem('request-malformed'). `name` is the field. */
export function importPublicKey(name: string, { kty, crv, x, y }: PublicKey): KeyObject {
  const key = publicKeyOf({ kty, crv, x, y })
  if (key) return key
  throw new Problem('request-malformed', `${name} is not a point on P-256`)
}

/** Undefined for what is no point on P-256. */
export function publicKeyOf({ kty, crv, x, y }: PublicKey): KeyObject | undefined {
  // Two spellings of one point would have two thumbprints.
  if ([x, y].some((coordinate) => fromBase64Url(coordinate)?.length !== 32)) return undefined
  try {
    return createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
  } catch {
    return undefined
  }
}
