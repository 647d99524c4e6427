/** A verifier ready to answer: its keys found or made, an issuer for every tenant and assurance. */
import type { AnchorSet } from '../pki/anchor.ts'
import type { RemotePolicy } from '../policy/rules/rule.ts'
import type { ProofCache } from '../rats/proof-cache.ts'
import { tees } from '../tee/registry.ts'
import { waivableIn } from './appraise-evidence.ts'
import type { CollectEndorsements } from './collect-endorsements.ts'
import type { DriftWatch } from './drift-watch.ts'
import { challengeKeys, issuerFor, type KeyRoom } from './keys.ts'
import type { Journal, PolicySource } from './ports.ts'
import { issuerUrls } from './publish-keys.ts'
import type { Tenant, Verifier } from './verifier.ts'

export interface VerifierParts extends KeyRoom {
  readonly journal: Journal
  readonly proofs: ProofCache
  /** Origin under which the service is reached, without a slash at the end. */
  readonly publicUrl: string
  readonly build: string
  /** Lets whatever waits go first: setImmediate, as a promise. */
  readonly pause: () => Promise<void>
  /** Appraises stored evidence again after each acceptance; begun here. Absent: nobody does. */
  readonly drift?: DriftWatch
  readonly tenants: readonly TenantParts[]
}

export interface TenantParts {
  readonly name: string
  readonly anchors: AnchorSet
  readonly collect: CollectEndorsements
  readonly policy: PolicySource
  readonly remotePolicy?: RemotePolicy
}

/** Throws Problem('configuration-invalid') when a stored key does not open, and 'storage-unavailable'. */
export async function openVerifier(parts: VerifierParts): Promise<Verifier> {
  const { store, journal, random, clock, proofs, publicUrl, build, pause } = parts
  const keys = await challengeKeys(parts)
  const tenants = await Promise.all(parts.tenants.map((tenant) => openTenant(parts, tenant)))
  const verifier: Verifier = {
    store,
    journal,
    random,
    clock,
    proofs,
    publicUrl,
    build,
    pause,
    challengeKeys: keys,
    tenants: new Map(tenants.map((tenant) => [tenant.name, tenant])),
  }
  parts.drift?.begin(verifier)
  return verifier
}

/** Whether a tenant takes simulated evidence is a property of its anchors and of nothing else. */
async function openTenant(parts: VerifierParts, tenant: TenantParts): Promise<Tenant> {
  const urls = issuerUrls(parts.publicUrl, tenant.name)
  const isSimulated = tenant.anchors.anchors.some(({ assurance }) => assurance === 'simulated')
  return {
    ...tenant,
    remotePolicy: tenant.remotePolicy,
    issuers: {
      hardware: await issuerFor(parts, { url: urls.hardware, assurance: 'hardware' }),
      simulated: isSimulated
        ? await issuerFor(parts, { url: urls.simulated, assurance: 'simulated' })
        : undefined,
    },
  }
}

/** Ids and groups of every TEE's checks that a policy may waive. */
export function waivableByPolicy(): ReadonlySet<string> {
  return new Set(tees.flatMap((tee) => [...waivableIn(tee)]))
}
