/**
 * What does a Token Status List say, and who vouches for it? One bit for each token, compressed and signed by the issuer
 * (draft-ietf-oauth-status-list-17: sections 4 and 5.1, the bytes and the JWT; section 8.2, the media type).
 */
import { promisify } from 'node:util'
import { constants, deflate } from 'node:zlib'
import { signJwt } from './issuer.ts'
import type { TokenKey } from './token-key.ts'

export const STATUS_LIST_TYPE = 'application/statuslist+jwt'

export interface StatusList {
  /** Where it is served, which tokens name exactly so (section 8.3, rule 4a). */
  readonly uri: string
  readonly at: Date
  /** Entries, used or not: an index beyond them would be refused by its reader, valid token or not. */
  readonly size: number
  /** Indices of the tokens that hold no longer. Of one that expired nothing need be said: expiry is judged first. */
  readonly revoked: readonly number[]
  readonly ttlSeconds: number
  readonly lifetimeSeconds: number
}

/** The keys are those of the issuer's tokens, found through the same JWKS: `typ` keeps the two apart (RFC 8725 section 3.11). */
export async function signStatusList(
  key: TokenKey,
  { uri, at, size, revoked, ttlSeconds, lifetimeSeconds }: StatusList,
): Promise<string> {
  const now = Math.floor(at.getTime() / 1000)
  return await signJwt(key, 'statuslist+jwt', {
    sub: uri,
    iat: now,
    exp: now + lifetimeSeconds,
    ttl: ttlSeconds,
    status_list: { bits: 1, lst: await encodeStatusList(size, revoked) },
  })
}

/**
 * Bit `index % 8` of byte `index / 8`, counted from the least significant; DEFLATE in the zlib format, base64url (section 4.1).
 * Throws RangeError for an index beyond the list.
 */
export async function encodeStatusList(size: number, revoked: readonly number[]): Promise<string> {
  const bits = new Uint8Array(Math.ceil(size / 8))
  for (const index of revoked) {
    const byte = bits[index >> 3]
    if (byte === undefined || index >= size)
      throw new RangeError(`index ${index} is not in a list of ${size}`)
    bits[index >> 3] = byte | (1 << (index & 7))
  }
  // Off the event loop: 128 KiB take a millisecond, and somebody else's request should not wait for it.
  const packed = await compress(bits, { level: constants.Z_BEST_COMPRESSION })
  return packed.toString('base64url')
}

const compress = promisify<Uint8Array, { readonly level: number }, Buffer>(deflate)
