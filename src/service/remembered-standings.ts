/**
 * Which evidence was found to hold, a moment ago? Judging it costs a millisecond, and an agent that needs ten secrets asks ten
 * times. Whatever changes the answer but time is in the key, so that only what ends by itself is noticed late, by LIVE_MS.
 *
 * Agents that are started together ask together: were all forgotten after the same time, they would be judged together for ever,
 * and whoever asks then would wait for all of them. So each is held for a time of its own, and none for longer.
 */
import { rememberedSignatures, type VerifySignature } from '../rats/signature-answers.ts'
import type { PresentStanding } from './standing.ts'

export interface Standings {
  /** `judge` is asked once for whoever asks meanwhile. What it rejects with is not remembered. */
  readonly of: (
    key: string,
    at: Date,
    judge: () => Promise<PresentStanding>,
  ) => Promise<PresentStanding>
  /** For those who judge: what is judged again has the signature that it had. */
  readonly signatures: VerifySignature
}

const LIVE_MS = 2_000
/** By how much less than that, at most. */
const LESS_MS = 500
/** The oldest goes first: some 10 MB. */
const MOST_REMEMBERED = 20_000

interface Remembered {
  readonly since: number
  readonly until: number
  readonly standing: Promise<PresentStanding>
}

export function rememberedStandings(): Standings {
  const remembered = new Map<string, Remembered>()

  return {
    signatures: rememberedSignatures(MOST_REMEMBERED),
    async of(key, at, judge) {
      const now = at.getTime()
      const known = remembered.get(key)
      // A clock that was put back finds nothing.
      if (known && now >= known.since && now < known.until) return await known.standing
      const standing = judge()
      const entry = { since: now, until: now + LIVE_MS - lessOf(key), standing }
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

/** The same for the same key (FNV-1a): two that were judged at one instant move apart with each time. */
function lessOf(key: string): number {
  let mixed = 0x811c9dc5
  for (let n = 0; n < key.length; n++) mixed = Math.imul(mixed ^ key.charCodeAt(n), 0x01000193)
  return (mixed >>> 0) % LESS_MS
}
