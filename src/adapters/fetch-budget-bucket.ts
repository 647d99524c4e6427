/** How often may evidence that nobody authenticated make us ask a vendor? A token bucket: `burst` at once, then one per interval. */

export interface TokenBucketSettings {
  readonly burst: number
  /** Until one token comes back. */
  readonly refillSeconds: number
}

export interface TokenBucket {
  /** Takes a token and returns 0, or takes none and returns the seconds until there is one. */
  readonly take: (at: Date) => number
}

export function tokenBucket({ burst, refillSeconds }: TokenBucketSettings): TokenBucket {
  let tokens = burst
  let countedAt: number | undefined

  return {
    take(at) {
      const now = at.getTime() / 1000
      // A clock that was set back gives nothing and takes nothing away.
      const elapsed = Math.max(0, now - (countedAt ?? now))
      tokens = Math.min(burst, tokens + elapsed / refillSeconds)
      countedAt = now
      if (tokens < 1) return (1 - tokens) * refillSeconds
      tokens -= 1
      return 0
    },
  }
}
