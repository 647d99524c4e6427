/** What did its vendor say of evidence that is kept? The set that was at hand when it was appraised, and no other. */
import type { Endorsements } from '../rats/endorsements.ts'
import type { AppraisalRecord, Store } from './ports.ts'

/** Undefined where they are kept no more. Throws Problem('storage-unavailable'). */
export async function keptEndorsements(
  { endorsementsDigest }: Pick<AppraisalRecord, 'endorsementsDigest'>,
  store: Pick<Store, 'findEndorsements'>,
): Promise<Endorsements | undefined> {
  const found = await store.findEndorsements(endorsementsDigest)
  // Stored under a name that is not theirs, they would be another machine's.
  return found?.digest === endorsementsDigest ? found : undefined
}
