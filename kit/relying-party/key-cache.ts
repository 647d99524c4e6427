/**
 * Under which keys may tokens of the issuer be checked now? Fetched once for all who ask, kept for a time, and fetched anew
 * for a key id that nobody knows, but rarely: anybody can invent key ids.
 */
import { jsonObject, objectOf } from './base64url.ts'
import { assertAddress, type Fetch, fetchBytes } from './bounded-fetch.ts'
import { importPublicKey, type PublicKey } from './compact-jws.ts'

export interface KeyCache {
  /** `unavailable`: there is no set that is young enough, and none to be had. */
  readonly keyFor: (kid: string) => Promise<PublicKey | 'unknown' | 'unavailable'>
}

export interface KeyCacheOptions {
  readonly fetch: Fetch
  /** Milliseconds. */
  readonly now: () => number
  /** Where the set is; asked before each fetch, since discovery may say another place. */
  readonly locate: () => Promise<string>
  /** Of the members of the set, those that say this, or say nothing: `sig`, `wit-svid`. */
  readonly use: 'sig' | 'wit-svid'
  /** After this a set is fetched anew before anything else is judged by it. */
  readonly maxAgeSeconds: number
  /** For so long after that the set still counts while no newer one is to be had. */
  readonly graceSeconds: number
}

const MOST_BYTES = 64 * 1024
const MOST_KEYS = 64
/** However many key ids are invented. */
const LEAST_BETWEEN_FOR_UNKNOWN_MS = 10_000
/** After a fetch that failed. */
const LEAST_BETWEEN_MS = 1_000

type Keys = ReadonlyMap<string, PublicKey>

export function keyCache(options: KeyCacheOptions): KeyCache {
  const { now, maxAgeSeconds, graceSeconds } = options
  let held: { readonly keys: Keys; readonly at: number } | undefined
  let fetching: Promise<void> | undefined
  let lastBegun = Number.NEGATIVE_INFINITY

  /** Resolves when nobody fetches any more, whatever came of it. */
  function refresh(leastBetweenMs: number): Promise<void> {
    if (fetching !== undefined) return fetching
    // A clock that was set back is no reason to wait.
    if (Math.abs(now() - lastBegun) < leastBetweenMs) return Promise.resolve()
    const at = now()
    lastBegun = at
    fetching = fetchKeys(options)
      .then(
        (keys) => {
          held = { keys, at }
        },
        () => {},
      )
      .finally(() => {
        fetching = undefined
      })
    return fetching
  }

  const age = () => (held ? Math.abs(now() - held.at) / 1000 : Number.POSITIVE_INFINITY)

  return {
    async keyFor(kid) {
      if (age() >= maxAgeSeconds) await refresh(LEAST_BETWEEN_MS)
      // Ahead of time, so that nobody has to wait for it.
      else if (age() >= maxAgeSeconds / 2) void refresh(LEAST_BETWEEN_FOR_UNKNOWN_MS)
      if (!held || age() >= maxAgeSeconds + graceSeconds) return 'unavailable'
      const known = held.keys.get(kid)
      if (known) return known
      await refresh(LEAST_BETWEEN_FOR_UNKNOWN_MS)
      return held.keys.get(kid) ?? 'unknown'
    },
  }
}

/** Throws Error. */
async function fetchKeys({ fetch, locate, use }: KeyCacheOptions): Promise<Keys> {
  const url = await locate()
  const bytes = await fetchBytes(url, { fetch, accept: 'application/json', mostBytes: MOST_BYTES })
  const listed = jsonObject(bytes)?.keys
  if (!Array.isArray(listed)) throw new Error(`${url} is no key set`)
  if (listed.length > MOST_KEYS) throw new Error(`${url} has more than ${MOST_KEYS} keys`)
  const keys = new Map<string, PublicKey>()
  for (const member of listed.map(objectOf)) {
    if (!member || typeof member.kid !== 'string') continue
    if (member.use !== undefined && member.use !== use) continue
    const imported = await importPublicKey(member)
    if (!imported || (member.alg !== undefined && member.alg !== imported.alg)) continue
    // Which of the two would be meant?
    if (keys.has(member.kid)) throw new Error(`${url} has two keys of one id`)
    keys.set(member.kid, imported)
  }
  return keys
}

/** OpenID Connect Discovery 1.0 section 4.3: the document must be the issuer's own, and its keys are at the same origin. */
export async function discoverKeys(issuer: string, fetch: Fetch): Promise<string> {
  const url = `${issuer}/.well-known/openid-configuration`
  const bytes = await fetchBytes(url, { fetch, accept: 'application/json', mostBytes: MOST_BYTES })
  const document = jsonObject(bytes)
  if (document?.issuer !== issuer) throw new Error(`${url} is not about ${issuer}`)
  const { jwks_uri: found } = document
  if (typeof found !== 'string') throw new Error(`${url} names no jwks_uri`)
  assertAddress(found, 'jwks_uri')
  if (new URL(found).origin !== new URL(issuer).origin)
    throw new Error(`${url} names keys of another origin`)
  return found
}
