/**
 * Which key of a purpose signs at an instant, which are published, and which may be forgotten? Decided from what is stored and
 * nothing else, so that every replica decides alike; a clock that is wrong changes the answer and never leaves none.
 */
import type { SealedKey } from './token-ports.ts'

export type KeyDates = Pick<SealedKey, 'kid' | 'createdAt' | 'activeFrom' | 'revokedAt'>

/**
 * `next`: published, and to sign from `activeFrom` on. `retired`: published, and signs no more. `over`: to be forgotten, and
 * published until it is.
 */
export type KeyState = 'next' | 'active' | 'retired' | 'over' | 'revoked'

const HOUR_MS = 3600_000
/** Longer than any token and any cache of relying parties; and a day is what people count in. */
const RETIRED_PUBLISHED_MS = 24 * HOUR_MS
/** Somebody asks what was revoked last month. */
const REVOKED_KEPT_MS = 30 * 24 * HOUR_MS

/** The newest first; those of the same instant in an order that every replica sees alike. */
export function newestFirst(a: KeyDates, b: KeyDates): number {
  const later = b.activeFrom.getTime() - a.activeFrom.getTime()
  if (later !== 0 || a.kid === b.kid) return later
  return a.kid < b.kid ? 1 : -1
}

/**
 * The newest that is to be used by now. Where the clock says that none is yet, the clock is wrong, and it is the oldest:
 * relying parties have had that for longest. Undefined only where every key is revoked, or there is none.
 */
export function signerAt<K extends KeyDates>(keys: readonly K[], at: Date): K | undefined {
  const good = keys.filter((key) => !key.revokedAt).toSorted(newestFirst)
  return good.find(({ activeFrom }) => activeFrom <= at) ?? good.at(-1)
}

/** From then on another signs; undefined where none follows yet. */
export function retiresAt(key: KeyDates, keys: readonly KeyDates[]): Date | undefined {
  return keys
    .filter((other) => !other.revokedAt && newestFirst(other, key) < 0)
    .toSorted(newestFirst)
    .at(-1)?.activeFrom
}

/** `keys`: all of its purpose, itself included. */
export function stateOf(key: KeyDates, keys: readonly KeyDates[], at: Date): KeyState {
  if (key.revokedAt) return 'revoked'
  if (signerAt(keys, at)?.kid === key.kid) return 'active'
  const retired = retiresAt(key, keys)
  if (!retired || key.activeFrom > at || retired > at) return 'next'
  return at.getTime() < retired.getTime() + RETIRED_PUBLISHED_MS ? 'retired' : 'over'
}

/**
 * Whatever is kept and was not revoked, the newest first: a clock that is ahead takes from nobody the key of a token that is
 * still good by the right one. Which are kept is for forgettableAt, and for whoever asks whether anything may be forgotten.
 */
export function published<K extends KeyDates>(keys: readonly K[]): readonly K[] {
  return keys.filter(({ revokedAt }) => !revokedAt).toSorted(newestFirst)
}

/** The newest stays, whatever became of it: the next one names it as the one that it follows. */
export function forgettableAt<K extends KeyDates>(keys: readonly K[], at: Date): readonly K[] {
  const [newest] = keys.toSorted(newestFirst)
  return keys.filter((key) => {
    if (key === newest) return false
    const { revokedAt } = key
    if (!revokedAt) return stateOf(key, keys, at) === 'over'
    // The one that was made after it stands for it in the sequence of what is published.
    return (
      at.getTime() >= revokedAt.getTime() + REVOKED_KEPT_MS &&
      keys.some((other) => !other.revokedAt && other.createdAt > revokedAt)
    )
  })
}

/**
 * A number that rises with every change of what is published, alike for every replica: when the last key came or was revoked,
 * and when the oldest that is published began, added. A key that is forgotten is the oldest.
 */
export function sequenceOf(keys: readonly KeyDates[]): number {
  const changes = keys.flatMap(({ createdAt, revokedAt }) => [createdAt, revokedAt ?? createdAt])
  const newest = Math.max(0, ...changes.map((each) => each.getTime()))
  return newest + (published(keys).at(-1)?.activeFrom.getTime() ?? 0)
}

export interface KeySchedule {
  /** A key that has signed for so long is followed by another. */
  readonly rotationMs: number
  /** So long is it published before it signs. */
  readonly overlapMs: number
}

/** Clocks of replicas may differ by so much without two of them adding a key. */
const CLOCK_SKEW_MS = HOUR_MS

/**
 * Whether a successor is to be made now. One that waits already counts, unless it waits for a time that only a wrong clock
 * can have meant.
 */
export function isDue(keys: readonly KeyDates[], schedule: KeySchedule, at: Date): boolean {
  const signer = signerAt(keys, at)
  if (!signer) return true
  const age = at.getTime() - signer.activeFrom.getTime()
  return age >= schedule.rotationMs && !successorOf(keys, schedule, at)
}

export function successorOf<K extends KeyDates>(
  keys: readonly K[],
  { overlapMs }: KeySchedule,
  at: Date,
): K | undefined {
  const latest = at.getTime() + overlapMs + CLOCK_SKEW_MS
  return keys.find(
    ({ activeFrom, revokedAt }) => !revokedAt && activeFrom > at && activeFrom.getTime() <= latest,
  )
}
