/** What of its machine does the client use? Network, time and chance, all of which the host can tamper with, and tests replace. */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Surroundings {
  readonly fetch: typeof globalThis.fetch
  /** Milliseconds since some instant; never runs backwards. */
  readonly monotonicMs: () => number
  /** Milliseconds since 1970, as the host has it. Only ever used together with the above. */
  readonly wallMs: () => number
  /** Keeps no program alive. Rejects when the signal fires. */
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>
  /** At least 0, less than 1. */
  readonly fraction: () => number
}

export const machine: Surroundings = {
  // Looked up at each call: a program may replace it after this file was loaded.
  fetch: (...request) => globalThis.fetch(...request),
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  wait: async (ms, signal) => {
    await sleep(ms, undefined, { ref: false, ...(signal && { signal }) })
  },
  fraction: () => randomInt(2 ** 32) / 2 ** 32,
}

/** Milliseconds since it was started. */
export type Stopwatch = () => number

/**
 * Whichever clock says that more has passed. A host that sets the wall clock back gains nothing, since the other goes on; one
 * that stops the guest, and with it that other, is noticed when the wall clock is right. At worst something ends too early.
 */
export function stopwatch({ monotonicMs, wallMs }: Surroundings): Stopwatch {
  const monotonic = monotonicMs()
  const wall = wallMs()
  let most = 0
  return () => {
    most = Math.max(most, monotonicMs() - monotonic, wallMs() - wall)
    return most
  }
}
