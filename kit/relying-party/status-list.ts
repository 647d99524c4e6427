/**
 * What does a Token Status List say of an entry? draft-ietf-oauth-status-list, sections 4.1 (the bits), 5.1 (the JWT) and
 * 8.3 (how it is judged): signed by the issuer, about this very address, and not over.
 */
import { fromBase64Url, objectOf } from './base64url.ts'
import { readBounded } from './bounded-fetch.ts'
import { decodeCompactJws, isSignedBy } from './compact-jws.ts'
import type { KeyCache } from './key-cache.ts'

export interface StatusList {
  /** 0: valid. Undefined beyond the list. */
  readonly valueAt: (index: number) => number | undefined
  /** Seconds since 1970. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly ttlSeconds: number
}

/** Of the JWT: half of 2^20 tokens revoked is 175 kB. */
export const LARGEST_LIST = 512 * 1024
/** Inflated: 2^20 entries of eight bits. */
const MOST_BYTES = 1024 * 1024
/** A list says how long it may be gone by, and this is as long as it may say. */
const LONGEST_TTL_SECONDS = 300

export interface ListExpectation {
  readonly uri: string
  readonly keys: KeyCache
  /** Seconds since 1970. */
  readonly at: number
  readonly skewSeconds: number
}

/** Throws Error: then it says nothing. */
export async function openStatusList(
  text: string,
  { uri, keys, at, skewSeconds }: ListExpectation,
): Promise<StatusList> {
  const jws = decodeCompactJws(text, LARGEST_LIST)
  const { alg, kid, typ, ...others } = jws?.header ?? {}
  if (!jws || typ !== 'statuslist+jwt' || typeof kid !== 'string' || Object.keys(others).length > 0)
    throw new Error('it is not a status list')
  const key = await keys.keyFor(kid)
  if (typeof key === 'string' || key.alg !== alg || !(await isSignedBy(jws, key)))
    throw new Error('no key of the issuer signed it')
  const { sub, iat, exp, ttl = LONGEST_TTL_SECONDS, status_list: list } = jws.payload
  // What is signed about another list says nothing about this one.
  if (sub !== uri) throw new Error('it is about another list')
  if (!isCount(iat) || !isCount(exp) || !isCount(ttl)) throw new Error('it does not say until when')
  if (iat > at + skewSeconds || exp <= at - skewSeconds) throw new Error('it is not of now')
  const { bits, lst } = objectOf(list) ?? {}
  const packed = typeof lst === 'string' ? fromBase64Url(lst) : undefined
  if (!packed || (bits !== 1 && bits !== 2 && bits !== 4 && bits !== 8))
    throw new Error('it has no entries')
  const bytes = await inflated(packed)
  return {
    issuedAt: iat,
    expiresAt: exp,
    ttlSeconds: Math.min(ttl, LONGEST_TTL_SECONDS),
    valueAt(index) {
      const byte = bytes[Math.floor((index * bits) / 8)]
      // Counted from the least significant bit.
      return byte === undefined ? undefined : (byte >> ((index * bits) % 8)) & ((1 << bits) - 1)
    },
  }
}

/** Throws RangeError as soon as there is too much: a few bytes can inflate to anything. */
async function inflated(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const source = new Blob([packed]).stream()
  return await readBounded(source.pipeThrough(new DecompressionStream('deflate')), MOST_BYTES)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0
}
