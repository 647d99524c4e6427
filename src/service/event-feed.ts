/** How does a replica hear of what the others did? It asks the database for events after the last one that it saw. */

import type { Store } from './ports.ts'
import type { ServiceEvent } from './token-ports.ts'

export interface EventFeed {
  /** Asks once, and tells the listeners; a chore calls it every half second. */
  readonly poll: () => Promise<void>
  /** Returns what ends it. A listener that throws disturbs nobody. */
  readonly subscribe: (listener: (event: ServiceEvent) => void) => () => void
}

const EVENTS_PER_PAGE = 256

/**
 * Begins after the newest event of now: whoever reads keys or policies afterwards misses none of their changes. `failed` is
 * told what a listener threw. Throws Problem('storage-unavailable').
 */
export async function eventFeed(
  store: Pick<Store, 'eventsAfter' | 'lastEvent'>,
  failed: (cause: unknown) => void = () => {},
): Promise<EventFeed> {
  const listeners = new Set<(event: ServiceEvent) => void>()
  let seen = await store.lastEvent()
  let running = Promise.resolve()

  function tell(event: ServiceEvent): void {
    for (const listener of [...listeners]) {
      try {
        listener(event)
      } catch (cause) {
        failed(cause)
      }
    }
  }

  async function ask(): Promise<void> {
    for (;;) {
      const page = await store.eventsAfter(seen, EVENTS_PER_PAGE)
      for (const event of page) {
        seen = event.sequence
        tell(event)
      }
      if (page.length < EVENTS_PER_PAGE) return
    }
  }

  return {
    // One after the other: two that read the same page would tell of it twice.
    poll() {
      const asked = running.then(ask)
      running = asked.catch(() => {})
      return asked
    },
    subscribe(listener) {
      // A listener of its own, so that the same function may listen twice.
      const own = (event: ServiceEvent) => listener(event)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
  }
}
