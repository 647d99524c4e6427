/**
 * When is whose heartbeat due? Each agent has a place on a wheel that turns once per heartbeat. Places are given out by the golden
 * ratio, so that the first hundred agents are spread as evenly as all of them.
 */

export interface FleetWheel<T> {
  readonly add: (member: T) => void
  readonly size: () => number
  /** Calls `due` for whoever was due since the last turn, with the instant (of performance.now) at which he was. */
  readonly turn: (now: number, due: (member: T, at: number) => void) => void
}

const SLOT_MS = 5
const GOLDEN = (Math.sqrt(5) - 1) / 2

export function fleetWheel<T>(periodMs: number, begun: number): FleetWheel<T> {
  const slots = Array.from({ length: Math.max(1, Math.round(periodMs / SLOT_MS)) }, (): T[] => [])
  let last = 0
  let members = 0
  return {
    add(member) {
      const at = Math.floor(((members * GOLDEN) % 1) * slots.length)
      slots[at]?.push(member)
      members++
    },
    size: () => members,
    turn(now, due) {
      const until = Math.floor((now - begun) / SLOT_MS)
      // Whoever slept longer than a whole turn owes one heartbeat each, and not several.
      for (last = Math.max(last, until - slots.length); last < until; last++)
        for (const member of slots[last % slots.length] ?? []) due(member, begun + last * SLOT_MS)
    },
  }
}
