/**
 * Does what the database says about a tenant's policy agree with itself, and with the clone that outlives it? Asked at start,
 * and whenever the database seems to have gone back in time.
 */
import { chainFault } from './acceptance-chain.ts'
import type { AcceptanceLink, PolicyMirror, PolicyRecord } from './policy-ports.ts'
import { brokenHistorySentence } from './policy-sentences.ts'
import type { Store } from './ports.ts'

export type Restoration =
  /** `lost`: a commit that was accepted and of which the database knows nothing: it was restored from an older copy. */
  | { readonly record: PolicyRecord | undefined; readonly lost: string | undefined }
  | { readonly fault: string; readonly record: PolicyRecord | undefined }

export interface RestorationRequest {
  readonly store: Pick<Store, 'policyOf' | 'acceptancesOf'>
  readonly mirror: PolicyMirror
  readonly tenant: string
}

/** `enforced`: the commit that this process has in force, if it has one. Throws Problem('storage-unavailable') and HistoryFault. */
export async function restorationOf(
  { store, mirror, tenant }: RestorationRequest,
  enforced: string | undefined,
): Promise<Restoration> {
  const { record, links } = await consistent(store, tenant)
  const fault = chainFault(links, record)
  if (fault !== undefined) return { fault: brokenHistorySentence(fault), record }
  // Both were in the database first: what is not in its history now was in one that is gone.
  const seen = [enforced, await mirror.lastKept()].filter((commit) => commit !== undefined)
  return { record, lost: seen.find((commit) => !links.some((link) => link.commit === commit)) }
}

/** Two questions and two answers: another replica may accept a policy in between. */
async function consistent(
  store: Pick<Store, 'policyOf' | 'acceptancesOf'>,
  tenant: string,
): Promise<{
  readonly record: PolicyRecord | undefined
  readonly links: readonly AcceptanceLink[]
}> {
  for (let round = 1; ; round++) {
    const record = await store.policyOf(tenant)
    const links = await store.acceptancesOf(tenant)
    if (links.at(-1)?.sequence === record?.sequence || round === ROUNDS) return { record, links }
  }
}

const ROUNDS = 3
