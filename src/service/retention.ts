/** What is kept for how long? Everything that grows with use is forgotten by age, a little at a time. */
import type { Store } from './ports.ts'

export interface RetentionTerms {
  /** Appraisals with their evidence, endorsements that none of the rest needs, and drift reports. */
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
  await store.pruneEvidence(before(evidenceMs))
}
