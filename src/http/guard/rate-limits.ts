/**
 * How many requests has somebody made in this window of time? In this process's memory, so that every replica counts for
 * itself: behind N replicas a caller has up to N times the quota. The only file that knows the library.
 */
import { hash, randomBytes } from 'node:crypto'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'

export interface Quota {
  /** As the RateLimit header fields name it. */
  readonly name: string
  readonly most: number
  readonly windowSeconds: number
}

/** Where somebody stands after a request. */
export interface Draw {
  readonly quota: Quota
  readonly isWithin: boolean
  readonly remaining: number
  /** Until the window ends, at least 1. */
  readonly resetSeconds: number
}

export interface RateLimit {
  /** Counts one more request of whoever `key` names. */
  readonly draw: (key: string) => Promise<Draw>
  /** Counts so many more, after the answer is known: nobody is refused for it but whoever comes next. */
  readonly charge: (key: string, points: number) => Promise<void>
  /** The same without counting one. */
  readonly standing: (key: string) => Promise<Draw>
}

/**
 * Strangers could bring any number of names (a /48 of IPv6 has 65,536 of those that are counted), so names fall into this
 * many slots, and memory has a bound. The slot is a keyed hash: nobody outside can aim at somebody else's.
 */
const SLOTS = 2 ** 16

/** `quota` of callers whose names strangers choose. */
export function rateLimitOfStrangers(quota: Quota): RateLimit {
  const key = randomBytes(16).toString('hex')
  return rateLimit(quota, (name) => slotOf(key, name))
}

/** `quota` of those whose names come from the configuration, or who proved who they are. */
export function rateLimitOfKnown(quota: Quota): RateLimit {
  return rateLimit(quota, (name) => name)
}

function slotOf(key: string, name: string): string {
  const digest = hash('sha256', `${key}${name}`, 'buffer')
  return `${digest.readUInt32LE(0) % SLOTS}`
}

function rateLimit(quota: Quota, keyOf: (name: string) => string): RateLimit {
  const limiter = new RateLimiterMemory({ points: quota.most, duration: quota.windowSeconds })
  return {
    async draw(name) {
      try {
        return drawOf(quota, await limiter.consume(keyOf(name)), 'counted')
      } catch (refused) {
        if (refused instanceof RateLimiterRes) return drawOf(quota, refused, 'counted')
        throw refused
      }
    },
    async charge(name, points) {
      await limiter.penalty(keyOf(name), points)
    },
    async standing(name) {
      return drawOf(quota, await limiter.get(keyOf(name)), 'asked')
    },
  }
}

function drawOf(quota: Quota, result: RateLimiterRes | null, how: 'counted' | 'asked'): Draw {
  if (result === null || result.msBeforeNext <= 0)
    return { quota, isWithin: true, remaining: quota.most, resetSeconds: quota.windowSeconds }
  const { consumedPoints, remainingPoints, msBeforeNext } = result
  return {
    quota,
    // The request that used up the last point was within; one that only asks would be the next.
    isWithin: how === 'counted' ? consumedPoints <= quota.most : consumedPoints < quota.most,
    remaining: remainingPoints,
    // The library goes by the wall clock, which may have been set back since the window began.
    resetSeconds: Math.min(quota.windowSeconds, Math.max(1, Math.ceil(msBeforeNext / 1000))),
  }
}
