/**
 * When is a held document renewed? Well ahead of its end, and at an age after which news would be missed: AMD's lists are
 * good for a year, and a revocation must not take that long to be seen. Jitter keeps a fleet from asking all at once.
 */
import type { HeldEndorsement } from '../service/endorsement-source.ts'
import type { EndorsementSubject } from '../service/endorsement-subject.ts'

const HOUR_SECONDS = 3600
const DAY_SECONDS = 24 * HOUR_SECONDS

/** Greatest age, in seconds. A VCEK says the same for as long as it lives. */
const greatestAge: Readonly<Record<EndorsementSubject['document'], number | undefined>> = {
  'amd-cert-chain': 30 * DAY_SECONDS,
  'amd-crl': 12 * HOUR_SECONDS,
  'amd-vcek': undefined,
  'intel-tcb-info': 12 * HOUR_SECONDS,
  'intel-qe-identity': 12 * HOUR_SECONDS,
  'intel-pck-crl': 12 * HOUR_SECONDS,
  'intel-root-crl': 12 * HOUR_SECONDS,
}

/** The part of a document's remaining life after which it is renewed at the latest. */
const LATEST_OF_LIFE = 0.75

/** `chance` in [0, 1) chooses within the second half of the time that may pass. Undefined: not before it is asked for again. */
export function refreshInstant(
  { document }: EndorsementSubject,
  { fetchedAt, notAfter }: Pick<HeldEndorsement, 'fetchedAt' | 'notAfter'>,
  chance: number,
): Date | undefined {
  const ageMs = greatestAge[document]
  if (ageMs === undefined) return undefined
  const lifeMs = Math.max(0, notAfter.getTime() - fetchedAt.getTime())
  const latestMs = Math.min(ageMs * 1000, lifeMs * LATEST_OF_LIFE)
  return new Date(fetchedAt.getTime() + latestMs * (0.5 + 0.5 * chance))
}
