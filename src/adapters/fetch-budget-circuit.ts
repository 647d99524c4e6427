/**
 * May this host be asked now? After a failure it is left alone: as long as its Retry-After says, or an exponentially
 * growing time with full jitter, so that a fleet which failed together does not come back together. Then one request
 * tries it, and the rest wait for what comes of that.
 */

export interface Circuit {
  /** Seconds for which the host is left alone; 0 when it may be asked. */
  readonly secondsClosed: (at: Date) => number
  /** A request goes out. Its end must be told by `succeeded` or `failed`. */
  readonly started: () => void
  readonly succeeded: () => void
  /** Returns the seconds for which the host is left alone now. */
  readonly failed: (at: Date, retryAfterSeconds: number | undefined) => number
}

const FIRST_BACKOFF_SECONDS = 2
const LONGEST_BACKOFF_SECONDS = 300
/** A vendor may ask for more; whoever sits between us and the vendor must not be able to switch it off for good. */
const LONGEST_RETRY_AFTER_SECONDS = 3600
/** What the others are told while one request tries the host. */
const TRIAL_SECONDS = 1

/** `chance` gives numbers in [0, 1). */
export function circuit(chance: () => number): Circuit {
  let failures = 0
  let closedUntil = 0
  let isOnTrial = false

  /** More than was ever asked for means that the clock was set back: then nothing is left of it. */
  function leftAt(at: Date): number {
    const left = closedUntil - at.getTime() / 1000
    return left > LONGEST_RETRY_AFTER_SECONDS + 1 ? 0 : left
  }

  return {
    secondsClosed(at) {
      const left = leftAt(at)
      if (failures > 0 && left > 0) return left
      return isOnTrial ? TRIAL_SECONDS : 0
    },
    started() {
      isOnTrial = failures > 0
    },
    succeeded() {
      failures = 0
      isOnTrial = false
    },
    failed(at, retryAfterSeconds) {
      failures += 1
      isOnTrial = false
      const most = Math.min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (failures - 1))
      const asked = Math.min(LONGEST_RETRY_AFTER_SECONDS, retryAfterSeconds ?? 0)
      // Requests that were under way together fail together; none of them shortens what another was told.
      const left = Math.max(asked, chance() * most, leftAt(at))
      closedUntil = at.getTime() / 1000 + left
      return left
    },
  }
}

/** RFC 9110 section 10.2.3: seconds, or an HTTP date. Undefined for anything else. */
export function retryAfterSeconds(header: string | undefined, at: Date): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header)
  const until = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(header)
    ? Date.parse(header)
    : Number.NaN
  return Number.isNaN(until) ? undefined : Math.max(0, (until - at.getTime()) / 1000)
}
