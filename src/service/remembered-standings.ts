/**
 * Which evidence was found to hold, a moment ago? Judging it costs a millisecond, and an agent that needs ten secrets asks ten
 * times. Whatever changes the answer but time is in the key, so that only what ends by itself is noticed late, by LIVE_MS.
 */
import type { Standing } from './standing.ts'

export interface Standings {
  /** `judge` is asked once for whoever asks meanwhile. What it rejects with is not remembered. */
  readonly of: (key: string, at: Date, judge: () => Promise<Standing>) => Promise<Standing>
}

const LIVE_MS = 2_000
/** The oldest goes first: some 10 MB. */
const MOST_REMEMBERED = 20_000

interface Remembered {
  readonly since: number
  readonly standing: Promise<Standing>
}

export function rememberedStandings(): Standings {
  const remembered = new Map<string, Remembered>()

  return {
    async of(key, at, judge) {
      const now = at.getTime()
      const known = remembered.get(key)
      // A clock that was put back finds nothing.
      if (known && now >= known.since && now < known.since + LIVE_MS) return await known.standing
      const standing = judge()
      const entry = { since: now, standing }
      remembered.delete(key)
      remembered.set(key, entry)
      const [oldest] = remembered.keys()
      if (remembered.size > MOST_REMEMBERED && oldest !== undefined) remembered.delete(oldest)
      try {
        return await standing
      } catch (cause) {
        if (remembered.get(key) === entry) remembered.delete(key)
        throw cause
      }
    },
  }
}
