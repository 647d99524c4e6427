/** From the public key that an agent brought to one that can be used: a point on the curve, in its one spelling. */
import type { KeyObject } from 'node:crypto'
import { p256KeyOf } from '../pki/p256-key.ts'
import { Problem } from '../problems.ts'
import { type PublicKey, pointOf } from '../rats/public-key.ts'
import { recentValues } from '../recent-values.ts'

/** Throws Problem('request-malformed'). `name` is the field. */
export function importPublicKey(name: string, jwk: PublicKey): KeyObject {
  const key = publicKeyOf(jwk)
  if (key) return key
  throw new Problem('request-malformed', `${name} is not a point on P-256`)
}

/** Agents come back every few minutes with the keys that they have, and reading one costs as much as half a signature. */
const MOST_RECENT = 4096
const recent = recentValues<KeyObject>(MOST_RECENT, () => 1)

/** Undefined for what is no point on P-256. */
export function publicKeyOf(jwk: PublicKey): KeyObject | undefined {
  const name = `${jwk.x}.${jwk.y}`
  const known = recent.get(name)
  if (known) return known
  const point = pointOf(jwk)
  const key = point && p256KeyOf(point)
  if (key) recent.put(name, key)
  return key
}
