/**
 * Does a token still hold? By the issuer's status lists, each fetched once for all who ask and kept for its ttl, and by what
 * was heard of since. Where no list is young enough nobody can tell, and unknown means no.
 */
import { type Fetch, fetchBytes } from './bounded-fetch.ts'
import type { KeyCache } from './key-cache.ts'
import { LARGEST_LIST, openStatusList, type StatusList } from './status-list.ts'

export interface StatusCache {
  readonly statusOf: (uri: string, index: number) => Promise<'valid' | 'revoked' | 'unavailable'>
  /** The issuer said that this one is revoked, before any list does. */
  readonly revoked: (uri: string, index: number) => void
  /** Something may have been said that nobody here heard: every list is to be fetched anew. */
  readonly missed: () => void
}

export interface StatusCacheOptions {
  readonly issuer: string
  readonly fetch: Fetch
  readonly keys: KeyCache
  readonly now: () => number
  readonly skewSeconds: number
  /** For so long after its ttl, and never after its `exp`, a list still counts while no newer one is to be had. */
  readonly graceSeconds: number
}

/** Lists have 2^20 entries: of one issuer few are in use at once. */
const MOST_LISTS = 64
/** Longer than any token lives. */
const REMEMBERED_MS = 20 * 60_000
const MOST_REMEMBERED = 50_000
/** After a fetch that failed. */
const LEAST_BETWEEN_MS = 1_000

interface Kept {
  list: StatusList | undefined
  /** When the list was asked for; and the count of what was missed by then. */
  at: number
  missed: number
  failedAt: number
  fetching: Promise<void> | undefined
}

export function statusCache(options: StatusCacheOptions): StatusCache {
  const { issuer, now, graceSeconds, skewSeconds } = options
  const lists = new Map<string, Kept>()
  const heard = new Map<string, number>()
  let missed = 0

  function keptFor(uri: string): Kept {
    const kept = lists.get(uri) ?? {
      list: undefined,
      at: 0,
      missed,
      failedAt: Number.NEGATIVE_INFINITY,
      fetching: undefined,
    }
    // The one that nobody asked for the longest goes first.
    lists.delete(uri)
    lists.set(uri, kept)
    const oldest = lists.keys().next()
    if (lists.size > MOST_LISTS && !oldest.done) lists.delete(oldest.value)
    return kept
  }

  async function fetchInto(uri: string, kept: Kept): Promise<void> {
    const begun = { at: now(), missed }
    try {
      const list = await fetchList(uri, options)
      // A cache on the way may answer with an older one, which takes nothing back.
      if (kept.list && list.issuedAt < kept.list.issuedAt - skewSeconds) throw new Error('older')
      Object.assign(kept, { list, ...begun })
    } catch {
      kept.failedAt = now()
    }
  }

  /** Never rejects. */
  async function refresh(uri: string, kept: Kept): Promise<void> {
    if (kept.fetching === undefined) {
      if (Math.abs(now() - kept.failedAt) < LEAST_BETWEEN_MS) return
      kept.fetching = fetchInto(uri, kept).finally(() => {
        kept.fetching = undefined
      })
    }
    await kept.fetching
  }

  const ageSeconds = ({ at }: Kept) => Math.abs(now() - at) / 1000

  return {
    async statusOf(uri, index) {
      if (!isListOf(uri, issuer)) return 'unavailable'
      const kept = keptFor(uri)
      const { list } = kept
      if (!list || ageSeconds(kept) >= list.ttlSeconds) await refresh(uri, kept)
      // Ahead of time, so that nobody has to wait for it.
      else if (ageSeconds(kept) >= list.ttlSeconds / 2) void refresh(uri, kept)
      // What was being fetched already may have been asked for too early.
      for (let tries = 0; kept.missed !== missed && tries < 2; tries++) await refresh(uri, kept)
      // After whatever was awaited: an event may have come meanwhile.
      if (heard.has(`${uri} ${index}`)) return 'revoked'
      const held = kept.list
      if (!held || ageSeconds(kept) >= held.ttlSeconds + graceSeconds) return 'unavailable'
      if (now() / 1000 >= held.expiresAt + skewSeconds) return 'unavailable'
      const value = held.valueAt(index)
      if (value === undefined) return 'unavailable'
      return value === 0 ? 'valid' : 'revoked'
    },
    revoked(uri, index) {
      const at = now()
      for (const [entry, since] of heard) {
        if (heard.size < MOST_REMEMBERED && at - since < REMEMBERED_MS) break
        heard.delete(entry)
      }
      heard.set(`${uri} ${index}`, at)
    },
    missed() {
      missed++
    },
  }
}

/** Throws Error. */
async function fetchList(
  uri: string,
  { fetch, keys, now, skewSeconds }: StatusCacheOptions,
): Promise<StatusList> {
  const accept = 'application/statuslist+jwt'
  const bytes = await fetchBytes(uri, { fetch, accept, mostBytes: LARGEST_LIST })
  const at = now() / 1000
  return await openStatusList(new TextDecoder().decode(bytes), { uri, keys, at, skewSeconds })
}

/** Signed by the issuer, and yet only ever an address of its own. */
function isListOf(uri: string, issuer: string): boolean {
  const below = `${issuer}/status-lists/`
  return uri.startsWith(below) && /^[A-Za-z0-9_-]{1,64}$/.test(uri.slice(below.length))
}
