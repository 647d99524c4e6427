/** AMD's and Intel's endorsements as the configuration wants them: from which addresses, through which budget, held where. */
import { join } from 'node:path'
import type { CollateralConfig } from '../config.ts'
import { amdKds } from './amd-kds.ts'
import { type EndorsementCache, openEndorsementCache } from './endorsement-cache.ts'
import { fetchBudget, usualFetchBudget } from './fetch-budget.ts'
import { intelPcs } from './intel-pcs.ts'
import { systemClock, systemRandom } from './system.ts'
import { noFetch, vendorFetch } from './vendor-fetch.ts'

const MOST_BYTES = 256 * 1024 * 1024

/** A service goes on without its disk (`report`); what an operator fetches must be on it (`throw`). Throws Problem. */
export async function openVendorEndorsements(
  { dataDirectory, vendors }: CollateralConfig,
  {
    whenDiskFails,
    report,
  }: {
    readonly whenDiskFails: 'report' | 'throw'
    readonly report: (sentence: string) => void
  },
): Promise<EndorsementCache> {
  const { offline, amdKds: kds, intelPcs: pcs, intelRootCrl: rootCrl, tcbUpdate } = vendors
  const chance = { clock: systemClock, random: systemRandom }
  const fetch = offline ? noFetch : vendorFetch
  return await openEndorsementCache(
    {
      kds: amdKds({ base: kds }),
      pcs: intelPcs({ base: pcs, rootCrl, update: tcbUpdate }),
      budget: fetchBudget({ fetch, ...chance }, usualFetchBudget),
      ...chance,
      report,
    },
    { directory: join(dataDirectory, 'endorsements'), mostBytes: MOST_BYTES, whenDiskFails },
  )
}
