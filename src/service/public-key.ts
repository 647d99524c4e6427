/** From the public key that an agent brought to one that can be used: a point on the curve, in its one spelling. */
import type { KeyObject } from 'node:crypto'
import { concat, fromBase64Url } from '../bytes/encoding.ts'
import { p256KeyOf } from '../pki/p256-key.ts'
import { Problem } from '../problems.ts'
import type { PublicKey } from '../rats/public-key.ts'

/** Throws Problem('request-malformed'). `name` is the field. */
export function importPublicKey(name: string, jwk: PublicKey): KeyObject {
  const key = publicKeyOf(jwk)
  if (key) return key
  throw new Problem('request-malformed', `${name} is not a point on P-256`)
}

/**
 * Agents come back every few minutes with the keys that they have, and reading one costs as much as half a signature. Two
 * generations: whoever brings keys without end only makes others' be read again.
 */
const GENERATION = 4096
let young = new Map<string, KeyObject>()
let old: typeof young = new Map()

/** Undefined for what is no point on P-256. */
export function publicKeyOf({ x, y }: PublicKey): KeyObject | undefined {
  const name = `${x}.${y}`
  const known = young.get(name) ?? old.get(name)
  const key = known ?? read(x, y)
  if (!key || young.has(name)) return key
  if (young.size >= GENERATION) {
    old = young
    young = new Map()
  }
  young.set(name, key)
  return key
}

function read(x: string, y: string): KeyObject | undefined {
  // Two spellings of one point would have two thumbprints.
  const [left, right] = [fromBase64Url(x), fromBase64Url(y)]
  return left?.length === 32 && right?.length === 32 ? p256KeyOf(concat(left, right)) : undefined
}
