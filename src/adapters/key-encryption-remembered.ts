/**
 * Data keys that were unwrapped lately, for holders of a key-encryption key that take long: a program that is started, a
 * server that is asked. A release opens its secret, and must not wait for a device each time. Who takes the key away from
 * this service takes it within a minute, from rows that were opened lately; a holder that is silent for so long is not missed.
 */
import { createHash } from 'node:crypto'
import type { KeyEncryption } from '../service/key-encryption.ts'

interface Remembered {
  readonly dataKey: Promise<Uint8Array>
  /** By the monotonic clock, milliseconds. */
  readonly until: number
}

const KEPT_MS = 60_000
/** Of 32 bytes; the oldest goes first. */
const MOST_KEPT = 1000

export function keyEncryptionRemembered(
  encryption: KeyEncryption,
  now: () => number = () => performance.now(),
): KeyEncryption {
  // The oldest first, since all are kept for as long.
  const recent = new Map<string, Remembered>()

  /** What is over must not lie in memory until its place is needed. */
  function forgetOld(): void {
    for (const [key, { until }] of recent) {
      if (until > now() && recent.size <= MOST_KEPT) return
      recent.delete(key)
    }
  }

  return {
    ...encryption,
    async unwrap(wrapped) {
      forgetOld()
      const key = createHash('sha256').update(wrapped).digest('base64')
      const known = recent.get(key)
      if (known) return (await known.dataKey).slice()
      const entry = { dataKey: encryption.unwrap(wrapped), until: now() + KEPT_MS }
      recent.set(key, entry)
      try {
        return (await entry.dataKey).slice()
      } catch (cause) {
        // Nothing is remembered of a failure: the next who asks, asks anew.
        if (recent.get(key) === entry) recent.delete(key)
        throw cause
      }
    },
  }
}
