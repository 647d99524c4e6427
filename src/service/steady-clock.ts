/**
 * May anything be forgotten by age now? What a clock that is ahead calls old may be young, and what was forgotten does not
 * come back when the clock does: a used challenge could be answered again, and a revoked token would be good again. So
 * nothing is forgotten in the first hour of a process, nor for a day after its clock was seen to step.
 *
 * Not noticed: an error that was there before the process began and is less than an hour, which harms nothing, or has been
 * written into the log already; and none is told from the truth once it has stood for a day.
 */

export interface SteadyClock {
  /** To be asked before each forgetting, once a minute or so. */
  readonly look: (at: Date) => ClockLook
  /** For whoever forgets besides: a step that nobody looked at yet counts, and is left to `look` to tell. */
  readonly mayForget: (at: Date) => boolean
}

export interface ClockLook {
  readonly mayForget: boolean
  /** By how many milliseconds the clock was set forward (or back: below 0) since the last look; 0 where it was not. */
  readonly stepMs: number
}

const HOUR_MS = 3600_000
const FIRST_MS = HOUR_MS
const AFTER_STEP_MS = 24 * HOUR_MS
/** Nobody slews by so much in a minute. A machine that was suspended steps by more, and waits in vain. */
const TOLERANCE_MS = 30_000
/** What is younger is not forgotten anyway (retention.ts). */
const LONGEST_SILENCE_MS = HOUR_MS

export interface SteadyClockRequest {
  /** Of a clock that only ever rises and that nobody sets, in milliseconds. */
  readonly elapsedMs: () => number
  readonly at: Date
  /** When something was written last, by the clock of whoever wrote it; undefined: nothing was. */
  readonly newest: Date | undefined
}

export function steadyClock({ elapsedMs, at, newest }: SteadyClockRequest): SteadyClock {
  let last = { at: at.getTime(), elapsed: elapsedMs() }
  // Either nobody asked for anything for so long, or this clock is not the one by which that was written.
  const isStrange = newest && Math.abs(last.at - newest.getTime()) > LONGEST_SILENCE_MS
  let heldUntil = last.elapsed + (isStrange ? AFTER_STEP_MS : FIRST_MS)

  function stepTo(now: typeof last): number {
    const drift = now.at - last.at - (now.elapsed - last.elapsed)
    return Math.abs(drift) > TOLERANCE_MS ? Math.round(drift) : 0
  }

  return {
    look(seen) {
      const now = { at: seen.getTime(), elapsed: elapsedMs() }
      const stepMs = stepTo(now)
      last = now
      if (stepMs !== 0) heldUntil = now.elapsed + AFTER_STEP_MS
      return { mayForget: now.elapsed >= heldUntil, stepMs }
    },
    mayForget(seen) {
      const now = { at: seen.getTime(), elapsed: elapsedMs() }
      return now.elapsed >= heldUntil && stepTo(now) === 0
    },
  }
}
