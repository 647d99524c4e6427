/** What every use case works with: the tenants, and what the service as a whole owns. Made once, by src/main.ts. */
import type { AnchorSet } from '../pki/anchor.ts'
import type { RemotePolicy } from '../policy/rules/rule.ts'
import { Problem } from '../problems.ts'
import type { ProofCache } from '../rats/proof-cache.ts'
import type { Assurance } from '../rats/trust-vector.ts'
import type { Issuer } from '../token/issuer.ts'
import type { HeldBans } from './bans.ts'
import type { BrokerSwitches } from './broker-session.ts'
import type { CollectEndorsements } from './collect-endorsements.ts'
import type { EventFeed } from './event-feed.ts'
import type { HeldResources } from './held-resources.ts'
import type { KeyEncryptions } from './key-encryption.ts'
import type { AnyKeyRing, ChallengeKeys } from './keys.ts'
import type { ServiceLog } from './open-log.ts'
import type { PolicySource } from './policy-ports.ts'
import type { Clock, Journal, Random, Store } from './ports.ts'
import type { Standings } from './remembered-standings.ts'
import type { Outage } from './session-ports.ts'
import type { StatusSlots } from './status-slots.ts'
import type { WebhookFigures } from './webhooks.ts'

export interface Verifier {
  readonly tenants: ReadonlyMap<string, Tenant>
  /** Where the service is reached: no slash at the end. */
  readonly publicUrl: string
  /** Name and version of this program, for `ear_verifier_id`. */
  readonly build: string
  readonly challengeKeys: ChallengeKeys
  /** Every ring that the above and the tenants' issuers read from. */
  readonly keyRings: readonly AnyKeyRing[]
  readonly keyEncryption: KeyEncryptions
  /** Undefined: as long as this version holds for right. */
  readonly keyRotationDays: number | undefined
  readonly proofs: ProofCache
  /** Of evidence on which something is to be released. */
  readonly standings: Standings
  readonly resources: HeldResources
  readonly store: Store
  readonly journal: Journal
  readonly random: Random
  readonly clock: Clock
  /** Lets whatever waits go first; long work awaits it again and again. */
  readonly pause: () => Promise<void>
  /** What this replica hears of from all of them. */
  readonly events: EventFeed
  readonly statusSlots: StatusSlots
  readonly log: ServiceLog
  /** When no agent could be heard. Throws Problem('storage-unavailable') while this replica does not know (outages.ts). */
  readonly outages: () => readonly Outage[]
  /** How far each webhook is behind. */
  readonly webhooks: () => readonly WebhookFigures[]
  /** What is done again and again while the service runs; whoever runs the service sees to it. */
  readonly chores: readonly Chore[]
}

/** Never runs twice at once. Rejects when it fails; it is tried again all the same. */
export interface Chore {
  readonly name: string
  readonly everyMs: number
  readonly run: () => Promise<void>
}

export interface Tenant {
  readonly name: string
  /** Vendor roots; simulated ones only where the configuration accepts simulated evidence. */
  readonly anchors: AnchorSet
  /** What the vendors say about evidence, beyond what came with it. */
  readonly collect: CollectEndorsements
  readonly policy: PolicySource
  readonly issuers: Issuers<Issuer>
  /** A policy engine beside the service, asked last; undefined where none is configured. */
  readonly remotePolicy: RemotePolicy | undefined
  /** Machines that operators banned. Absent: there are none. */
  readonly bans?: HeldBans | undefined
  /** Undefined: the tenant does not speak the Key Broker protocol. */
  readonly broker?: BrokerSwitches | undefined
}

export interface Issuers<I> {
  readonly hardware: I
  readonly simulated: I | undefined
}

/** One request, as far as every use case cares. */
export interface Call {
  /** The clock, read once. */
  readonly at: Date
  readonly requestId: string
  /** As the service sees its peer: a proxy's, where one stands in front. */
  readonly remoteAddress: string
}

/** Throws Problem('request-malformed'). `field` is where the request names the tenant. */
export function tenantNamed(
  { tenants }: Pick<Verifier, 'tenants'>,
  name: string,
  field: string,
): Tenant {
  const tenant = tenants.get(name)
  if (!tenant) throw new Problem('request-malformed', `${field}: there is no such tenant`)
  return tenant
}

/** The issuer that answers evidence of this assurance; undefined where the tenant has none, which refuses. */
export function issuerOf<I>(
  { issuers }: { readonly issuers: Issuers<I> },
  assurance: Assurance,
): I | undefined {
  switch (assurance) {
    case 'hardware':
      return issuers.hardware
    case 'simulated':
      return issuers.simulated
  }
}

/** Of every tenant: those of hardware and those of simulated evidence. */
export function issuersOf({ tenants }: Pick<Verifier, 'tenants'>): readonly Issuer[] {
  return [...tenants.values()].flatMap(({ issuers: { hardware, simulated } }) =>
    simulated ? [hardware, simulated] : [hardware],
  )
}

/** RFC 9562 section 5.4, version 4, from the service's own source of chance. */
export function uuid(random: Random): string {
  const bytes = Buffer.from(random.bytes(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
