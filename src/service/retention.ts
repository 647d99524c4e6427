/** What is kept for how long? Everything that grows with use is forgotten by age, a little at a time. */
import { denialsTime } from './log-leaves.ts'
import type { Store } from './ports.ts'

export interface RetentionTerms {
  /** Appraisals with their evidence, endorsements that none of the rest needs, drift reports, and what is private of denials. */
  readonly evidenceMs: number
}

const HOUR = 3600_000
const DAY = 24 * HOUR

const defaultTerms: RetentionTerms = { evidenceMs: 30 * DAY }

/** Used challenges are kept this much longer than needed, for replicas whose clocks disagree. */
const CHALLENGE_GRACE = HOUR
/**
 * A commit that was forgotten counts as first seen when it comes again, which is later: a key that has expired since then
 * no longer vouches for it.
 */
const SIGHTINGS = 30 * DAY
/** Whoever follows events and comes back later than this has missed only what is about tokens that have expired since. */
const EVENTS = DAY
/** Expired ones, and proof ids that nobody would take any more. What was issued stays in the log. */
const TOKENS = DAY
/** After the end of their leases; approvals after theirs. What was released stays in the log. */
const RELEASES = DAY
/** After their end, or after they were last heard: a weekend, for whoever asks on Monday what was quarantined on Friday. */
const SESSIONS = 3 * DAY
/** Anybody may begin handshakes of the Key Broker. Replicas' clocks may disagree, and evidence be judged slowly, by this much. */
const BROKER_SESSIONS = 10 * 60_000
/** A replica that was stopped is no news; a gateway or sensor that fell silent is, for a week. */
const REPLICAS = HOUR
const OTHERS = 7 * DAY

/** To be called once a minute or seldomer. Throws Problem('storage-unavailable'). */
export async function forgetOld(
  store: Store,
  at: Date,
  { evidenceMs }: RetentionTerms = defaultTerms,
): Promise<void> {
  const before = (ms: number) => new Date(at.getTime() - ms)
  await store.pruneChallenges(before(CHALLENGE_GRACE))
  await store.pruneSightings(before(SIGHTINGS))
  await store.pruneEnforcementPoints(before(REPLICAS), ['verifier'])
  await store.pruneEnforcementPoints(before(OTHERS), ['sensor', 'sandbox', 'gateway'])
  await store.pruneEvents(before(EVENTS))
  await store.pruneTokens(before(TOKENS))
  await store.pruneReleases(before(RELEASES))
  await store.pruneSessions(before(SESSIONS))
  await store.pruneEvidence(before(evidenceMs))
  await forgetDenials(store, before(evidenceMs + DENIALS_OUTLIVE))
}

/**
 * Whatever the clock does: anybody may begin a handshake, and whoever finds his forgotten too early begins another. A nonce
 * that was used is not good again, since nothing knows it any more.
 */
export async function forgetHandshakes(store: Store, at: Date): Promise<void> {
  await store.pruneBrokerSessions(new Date(at.getTime() - BROKER_SESSIONS))
}

/** Two days, since evidence of one day goes together: a record that is kept finds its place in the log. */
const DENIALS_OUTLIVE = 2 * DAY
const BATCHES_AT_ONCE = 256

/** Anybody may be denied, as often as he likes. Their roots stay in the log, and who kept a proof can show it. */
async function forgetDenials(store: Store, before: Date): Promise<void> {
  for (;;) {
    const oldest = await store.oldestDenials(BATCHES_AT_ONCE)
    const old = oldest.filter(({ entry }) => (denialsTime(entry) ?? before) < before)
    for (const { index } of old) await store.forgetDenials(index)
    if (old.length < BATCHES_AT_ONCE) return
  }
}
