/**
 * When could no agent be heard? A session is judged by how long it was silent, and silence while the service itself was away is
 * nobody's fault but ours. So a session that was silent for an outage is late, and not suspended for it; it is active again when it
 * is heard, and no sooner: no fleet is suspended because we were gone, and nothing is prolonged.
 *
 * `outages()` is asked on every judgement and asks no database. What a replica does not know it does not guess: one that was cut
 * off from the database itself judges nothing (503) until it has asked what happened meanwhile.
 */
import { Problem } from '../problems.ts'
import type { Clock, Journal, Random } from './ports.ts'
import type { Outage, SessionStore } from './session-ports.ts'
import type { Chore } from './verifier.ts'

export interface KnownOutages {
  /** The oldest first. Throws Problem('storage-unavailable') while this replica does not know. */
  readonly outages: () => readonly Outage[]
  /** Says that this replica answers, and asks when none did. Throws Problem('storage-unavailable'). */
  readonly look: () => Promise<void>
  readonly chore: Chore
}

export interface OutageParts {
  readonly store: Pick<SessionStore, 'serviceAlive'>
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  /**
   * Of a clock that only ever rises and that nobody sets, in milliseconds. Undefined: the clock of the service is taken for
   * such a one, and no step of it is noticed.
   */
  readonly elapsedMs?: (() => number) | undefined
}

const EVERY_MS = 5_000
/** Three looks. A shorter absence is shorter than what four missed heartbeats take. */
const GAP_MS = 15_000
/** A hundred years: then no absence is found. */
const NO_GAP_MS = 100 * 365 * 24 * 3600_000
/**
 * Silence that is forgiven, of all outages together. After a longer absence a full quote is asked for, which is due anyway by then:
 * a machine may have become another in that time.
 */
const MOST_FORGIVEN_MS = 10 * 60_000
/** What ended earlier excuses nobody any more. */
const LOOK_BACK_MS = 3600_000
/** Clocks of replicas agree by this much, and no clock is slewed by so much between two looks. */
const CLOCKS_AGREE_MS = 2_000

export function knownOutages(parts: OutageParts): KnownOutages {
  const { store, clock, random, journal } = parts
  const replica = Buffer.from(random.bytes(16)).toString('hex')
  const elapsedMs = parts.elapsedMs
  let stored: readonly Outage[] = []
  /** Times that never were, by this replica's clock: it was set forward over them. */
  let steps: readonly Outage[] = []
  /** An outage that ends in the future was told by a clock that was wrong, and stays untrue when that time comes. */
  const untrue = new Set<string>()
  let known: readonly Outage[] = []
  /** When this replica last heard from the database. */
  let heard: { readonly elapsed: number } | undefined
  let seen: { readonly at: number; readonly elapsed: number } | undefined

  /** The clock against the one that nobody sets. */
  function watchClock(): void {
    if (!elapsedMs) return
    const now = { at: clock.now().getTime(), elapsed: elapsedMs() }
    const last = seen
    seen = now
    if (!last) return
    const stepMs = now.at - last.at - (now.elapsed - last.elapsed)
    if (Math.abs(stepMs) <= CLOCKS_AGREE_MS) return
    const until = new Date(now.at)
    if (stepMs > 0) steps = [...steps, { from: new Date(now.at - stepMs), until }]
    // Set back: what was skipped is lived through after all, and must be excused no more.
    else steps = steps.filter((each) => each.until <= until)
    known = forgiven([...stored, ...steps], until)
  }

  async function look(): Promise<void> {
    watchClock()
    const at = clock.now()
    const began = elapsedMs?.()
    // Whoever ran all the time was not away, whatever a clock that was set says; and others believe what is told here.
    const ranOn = began !== undefined && heard !== undefined && began - heard.elapsed <= GAP_MS
    const since = new Date(at.getTime() - LOOK_BACK_MS)
    const gapMs = ranOn ? NO_GAP_MS : GAP_MS
    const told = await store.serviceAlive(replica, at, { gapMs, since })
    if (began !== undefined) heard = { elapsed: began }
    for (const each of told)
      if (each.until.getTime() > at.getTime() + CLOCKS_AGREE_MS) untrue.add(nameOf(each))
    const trusted = told.filter((each) => !untrue.has(nameOf(each)))
    const fresh = trusted.filter((each) => !stored.some((old) => nameOf(old) === nameOf(each)))
    for (const { from, until } of fresh)
      journal.record({
        event: 'service.away',
        at,
        fields: { from: from.toISOString(), until: until.toISOString() },
      })
    stored = trusted
    steps = steps.filter(({ until }) => until > since)
    known = forgiven([...stored, ...steps], at)
  }

  return {
    outages() {
      watchClock()
      if (elapsedMs && heard && elapsedMs() - heard.elapsed > GAP_MS)
        throw new Problem(
          'storage-unavailable',
          'this replica was cut off from its database, and has yet to hear what happened meanwhile',
          { retryAfterSeconds: EVERY_MS / 1000 },
        )
      return known
    },
    look,
    chore: { name: 'outages', everyMs: EVERY_MS, run: look },
  }
}

/** One after the other without overlap, since what is forgiven twice would be prolonged; the newest MOST_FORGIVEN_MS of them. */
export function forgiven(all: readonly Outage[], at: Date): readonly Outage[] {
  const merged: { from: number; until: number }[] = []
  const ordered = all
    .map(({ from, until }) => ({
      from: from.getTime(),
      until: Math.min(until.getTime(), at.getTime()),
    }))
    .filter(({ from, until }) => from < until)
    .sort((a, b) => a.from - b.from)
  for (const each of ordered) {
    const last = merged.at(-1)
    if (last && each.from <= last.until) last.until = Math.max(last.until, each.until)
    else merged.push({ ...each })
  }
  const kept: Outage[] = []
  let room = MOST_FORGIVEN_MS
  for (const { from, until } of merged.toReversed()) {
    const length = Math.min(until - from, room)
    if (length <= 0) break
    room -= length
    kept.unshift({ from: new Date(until - length), until: new Date(until) })
  }
  return kept
}

function nameOf({ from, until }: Outage): string {
  return `${from.getTime()}-${until.getTime()}`
}
