/** This machine's clock and chance. */
import { randomFillSync } from 'node:crypto'
import type { Clock, Random } from '../service/ports.ts'

export const systemClock: Clock = { now: () => new Date() }

/**
 * A request draws eight times or so, and each draw of the system's costs more than 2 KiB at once. What was drawn leaves the
 * pool for good, and is given out once.
 */
const POOL_SIZE = 2048
const pool = new Uint8Array(POOL_SIZE)
let next = POOL_SIZE

export const systemRandom: Random = { bytes }

function bytes(size: number): Uint8Array {
  if (size > POOL_SIZE) return randomFillSync(new Uint8Array(size))
  if (next + size > POOL_SIZE) {
    randomFillSync(pool)
    next = 0
  }
  const drawn = pool.slice(next, next + size)
  pool.fill(0, next, next + size)
  next += size
  return drawn
}
