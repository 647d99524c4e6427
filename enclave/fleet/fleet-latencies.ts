/** How long did it take, for the median and for the worst? Counted in tenths of a millisecond, so that a day of it takes no more room. */

export interface Latencies {
  readonly add: (ms: number) => void
  readonly clear: () => void
  readonly summary: () => LatencySummary
}

/** Milliseconds; 0 where there was none. */
export interface LatencySummary {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

const PER_MS = 10
/** What takes longer counts as this, but for `max`. */
const LONGEST_MS = 60_000

export function latencies(): Latencies {
  const counts = new Uint32Array(LONGEST_MS * PER_MS + 1)
  let count = 0
  let max = 0

  /** The least latency that this part of all did not exceed. */
  function quantile(part: number): number {
    let left = Math.ceil(count * part)
    for (let at = 0; at < counts.length && left > 0; at++) {
      left -= counts[at] ?? 0
      if (left <= 0) return at / PER_MS
    }
    return 0
  }

  return {
    add(ms) {
      const at = Math.min(counts.length - 1, Math.max(0, Math.round(ms * PER_MS)))
      counts[at] = (counts[at] ?? 0) + 1
      count++
      max = Math.max(max, ms)
    },
    clear() {
      counts.fill(0)
      count = 0
      max = 0
    },
    summary: () => ({
      count,
      p50: quantile(0.5),
      p95: quantile(0.95),
      p99: quantile(0.99),
      max: Math.round(max * PER_MS) / PER_MS,
    }),
  }
}
