/** This machine's clock and chance. */
import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '../service/ports.ts'

export const systemClock: Clock = { now: () => new Date() }

export const systemRandom: Random = { bytes: (size) => new Uint8Array(randomBytes(size)) }
