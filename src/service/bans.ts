/**
 * Which machines may not be attested, for which agents? Held in memory, since every attestation asks; read again whenever
 * somebody bans or lifts, on whichever replica. What could not be read is not taken for none: nobody is judged meanwhile.
 */
import { Problem } from '../problems.ts'
import type { EventFeed } from './event-feed.ts'
import type { Clock, Journal, Store } from './ports.ts'
import type { Ban } from './session-ports.ts'

export interface HeldBans {
  /** Throws Problem('storage-unavailable') while they are not known. */
  readonly all: () => readonly Ban[]
  /** Rejects where they cannot be read; then `all` throws until they were. */
  readonly reload: () => Promise<void>
}

export interface BanRoom {
  readonly store: Pick<Store, 'bansOf'>
  readonly events: Pick<EventFeed, 'subscribe'>
  readonly journal: Journal
  readonly clock: Clock
}

const RETRY_SECONDS = 2

/** Not known before the first `reload`. */
export function heldBans({ store, events, journal, clock }: BanRoom, tenant: string): HeldBans {
  let held: readonly Ban[] | undefined
  /** Of the newest question: an older answer that comes late must not undo it. */
  let asked = 0

  async function reload(): Promise<void> {
    const mine = ++asked
    try {
      const read = await store.bansOf(tenant)
      if (mine === asked) held = read
    } catch (cause) {
      if (mine === asked) held = undefined
      throw cause
    }
  }

  events.subscribe((event) => {
    if (event.kind !== 'ban.changed' || event.tenant !== tenant) return
    reload().catch((cause: unknown) => {
      journal.record({ event: 'request.failed', at: clock.now(), cause })
    })
  })

  return {
    all() {
      if (held) return held
      throw new Problem('storage-unavailable', 'which machines are banned is not known here yet', {
        retryAfterSeconds: RETRY_SECONDS,
      })
    },
    reload,
  }
}

export interface BanningTenant {
  /** Absent: there are none. */
  readonly bans?: Pick<HeldBans, 'all'> | undefined
}

/** Those that hold for this agent. Throws Problem('storage-unavailable') while nobody knows. */
export function bansOn(
  { bans }: BanningTenant,
  { environment, agent }: { readonly environment: string; readonly agent: string },
): readonly Ban[] {
  return (bans?.all() ?? []).filter(
    (ban) => ban.agent === undefined || (ban.environment === environment && ban.agent === agent),
  )
}
