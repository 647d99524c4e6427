/** Events, in memory. */
import type { EventStore, ServiceEvent } from '../service/token-ports.ts'

export type Publish = (event: Omit<ServiceEvent, 'sequence'>) => void

export function memoryEvents(): EventStore & { readonly publish: Publish } {
  let events: readonly ServiceEvent[] = []
  let last = 0
  return {
    publish(event) {
      last += 1
      events = [...events, { sequence: last, ...event }]
    },
    eventsAfter: async (sequence, limit) =>
      events.filter((event) => event.sequence > sequence).slice(0, limit),
    lastEvent: async () => last,
    async pruneEvents(before) {
      const kept = events.filter(({ at, sequence }) => at >= before || sequence === last)
      const gone = events.length - kept.length
      events = kept
      return gone
    },
  }
}
