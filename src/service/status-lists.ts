/**
 * Which tokens hold no longer, for whoever asks? Each list signed at most once a second, kept until an event says that it
 * changed, and renewed before it grows old.
 */
import type { Issuer } from '../token/issuer.ts'
import { signStatusList } from '../token/status-list.ts'
import { STATUS_LIST_CAPACITY } from './status-slots.ts'
import type { ServiceEvent } from './token-ports.ts'
import type { Verifier } from './verifier.ts'

export interface StatusLists {
  /**
   * The signed list of this number, where it is one of this issuer; undefined where it is not. Throws
   * Problem('storage-unavailable').
   */
  readonly read: (issuer: Issuer, list: number, at: Date) => Promise<string | undefined>
}

/** How long a relying party may go by what it fetched. */
export const STATUS_TTL_SECONDS = 30
/**
 * After this nobody should believe the list any more: whoever keeps a relying party from fetching a newer one gains so
 * much. The other half minute is for a service that is gone for a moment.
 */
export const STATUS_LIFETIME_SECONDS = 60
/**
 * A revoked token stays in its list for so long after its end. Relying parties forgive clocks that differ, by a minute in the
 * kit and by more in clouds: to whoever still takes the token it must not become good again by expiring.
 */
const TOLD_AFTER_EXPIRY_MS = 10 * 60_000
/** Then it is signed anew, so that what is handed out is good for its whole ttl. */
const RENEWED_AFTER_MS = 15_000
/** However many are revoked one after the other. */
const LEAST_BETWEEN_MS = 1_000
/** A list of which half is revoked has 175 kB. */
const MOST_KEPT = 512

interface Kept {
  readonly since: number
  /** Key that signed it: a revoked key's lists must go with it. */
  readonly kid: string
  readonly token: Promise<string | undefined>
  /** An event says so; or there was no such list, and there may be one now. */
  isOutdated: boolean
}

export function statusLists({ store, events }: Pick<Verifier, 'store' | 'events'>): StatusLists {
  /** By address: who asks one issuer for another's list must not push that out. */
  const kept = new Map<string, Kept>()

  events.subscribe((event) => {
    for (const one of changedBy(event, kept)) one.isOutdated = true
  })

  async function build(issuer: Issuer, list: number, at: Date): Promise<string | undefined> {
    const found = await store.statusList(list, new Date(at.getTime() - TOLD_AFTER_EXPIRY_MS))
    // Another issuer's: under this one's name it would be a statement about nobody's tokens.
    if (found?.issuer !== issuer.url) return undefined
    return await signStatusList(issuer.signer('possession', at), {
      uri: statusListUrl(issuer.url, list),
      at,
      size: STATUS_LIST_CAPACITY,
      revoked: found.revoked,
      ttlSeconds: STATUS_TTL_SECONDS,
      lifetimeSeconds: STATUS_LIFETIME_SECONDS,
    })
  }

  function begin(issuer: Issuer, list: number, at: Date): Kept {
    const { kid } = issuer.signer('possession', at)
    const token = build(issuer, list, at)
    const made: Kept = { since: at.getTime(), kid, token, isOutdated: false }
    const url = statusListUrl(issuer.url, list)
    kept.delete(url)
    kept.set(url, made)
    token.then(
      (found) => {
        if (found === undefined) made.isOutdated = true
      },
      // What failed is asked for again by whoever comes next.
      () => {
        if (kept.get(url) === made) kept.delete(url)
      },
    )
    const oldest = kept.keys().next()
    if (kept.size > MOST_KEPT && !oldest.done) kept.delete(oldest.value)
    return made
  }

  return {
    async read(issuer, list, at) {
      const known = kept.get(statusListUrl(issuer.url, list))
      const one = known && isGood(known, issuer, at) ? known : begin(issuer, list, at)
      return await one.token
    },
  }
}

/** `list` as a token's `status.status_list.uri` names it. */
export function statusListUrl(issuer: string, list: number): string {
  return `${issuer}/status-lists/${list}`
}

function isGood(known: Kept, issuer: Issuer, at: Date): boolean {
  if (known.kid !== issuer.signer('possession', at).kid) return false
  // A clock that was set back is as good a reason as one that went on.
  const age = Math.abs(at.getTime() - known.since)
  return age < (known.isOutdated ? LEAST_BETWEEN_MS : RENEWED_AFTER_MS)
}

function changedBy(
  { kind, fields: { issuer, list } }: ServiceEvent,
  kept: ReadonlyMap<string, Kept>,
): Iterable<Kept> {
  switch (kind) {
    case 'token.revoked': {
      const one = kept.get(statusListUrl(`${issuer}`, Number(list)))
      return one ? [one] : []
    }
    case 'keys.changed':
      return kept.values()
    case 'policy.accepted':
    case 'session.changed':
    case 'ban.changed':
      return []
  }
}
