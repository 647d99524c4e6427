/** Whose evidence does a tenant take, and whom are vendors asked for? The same for the service and for whoever decides again beside it. */
import { simulatedAnchors } from '../adapters/simulated-anchors.ts'
import { openVendorEndorsements } from '../adapters/vendor-endorsements.ts'
import type { Config, TenantConfig } from '../config.ts'
import { type AnchorSet, takesSimulated } from '../pki/anchor.ts'
import { broughtOnly } from '../service/brought-endorsements.ts'
import type { CollectEndorsements } from '../service/collect-endorsements.ts'
import { anchorsWith, type Surroundings } from './machine.ts'

/** Throws for roots that cannot be read. */
export async function tenantAnchors({
  simulatedRoots,
}: Pick<TenantConfig, 'simulatedRoots'>): Promise<AnchorSet> {
  return await anchorsWith(simulatedRoots ? await simulatedAnchors(simulatedRoots) : [])
}

/** No vendor knows a simulated machine. */
export function collectFor(anchors: AnchorSet, collect: CollectEndorsements): CollectEndorsements {
  return takesSimulated(anchors) ? broughtOnly : collect
}

/** What is held on disk is taken as it is, and a disk that fails is only told. */
export async function openVendors(config: Config, { err }: Pick<Surroundings, 'err'>) {
  return await openVendorEndorsements(config, {
    whenDiskFails: 'report',
    report: (sentence) => err(`vouchsafe: ${sentence}\n`),
  })
}
