/** A verifier ready to answer: its keys found or made, an issuer for every tenant and assurance. */
import type { AnchorSet } from '../pki/anchor.ts'
import type { RemotePolicy } from '../policy/rules/rule.ts'
import type { ProofCache } from '../rats/proof-cache.ts'
import { tees } from '../tee/registry.ts'
import { waivableIn } from './appraise-evidence.ts'
import { heldBans } from './bans.ts'
import type { BrokerSwitches } from './broker-session.ts'
import type { CollectEndorsements } from './collect-endorsements.ts'
import type { DriftWatch } from './drift-watch.ts'
import { type BannableTenant, banChore } from './enforce-bans.ts'
import { type EventFeed, eventFeed } from './event-feed.ts'
import { heldResources } from './held-resources.ts'
import { issuerNames } from './issuer-names.ts'
import { keyChore, reloadOnEvents } from './key-chores.ts'
import type { KeyRoom } from './key-room.ts'
import { type OpenedIssuer, openChallengeKeys, openIssuer } from './keys.ts'
import { liveWatch } from './live-watch.ts'
import type { Witness } from './log-witnesses.ts'
import { openLog } from './open-log.ts'
import { knownOutages } from './outages.ts'
import type { PolicySource } from './policy-ports.ts'
import type { Journal } from './ports.ts'
import { rememberedStandings } from './remembered-standings.ts'
import { sessionWatch } from './session-watch.ts'
import { statusSlots } from './status-slots.ts'
import type { Verifier } from './verifier.ts'
import { type Webhook, webhookChore } from './webhooks.ts'

export interface VerifierParts extends KeyRoom {
  readonly journal: Journal
  readonly proofs: ProofCache
  /** Origin under which the service is reached, without a slash at the end. */
  readonly publicUrl: string
  readonly build: string
  /** Lets whatever waits go first: setImmediate, as a promise. */
  readonly pause: () => Promise<void>
  /** Of a clock that only ever rises and that nobody sets. Absent: no step of `clock` is noticed. */
  readonly elapsedMs?: () => number
  /** Whether anything may be forgotten by age at this instant of `clock` (steady-clock.ts). Absent: `clock` is believed. */
  readonly mayForget?: (at: Date) => boolean
  /** Appraises stored evidence again after each acceptance; begun here. Absent: nobody does. */
  readonly drift?: DriftWatch
  /** Of the transparency log; default: none. */
  readonly witnesses?: readonly Witness[]
  /** Who else is told of what happens; default: nobody. */
  readonly webhooks?: readonly Webhook[]
  readonly tenants: readonly TenantParts[]
}

export interface TenantParts {
  readonly name: string
  readonly anchors: AnchorSet
  readonly collect: CollectEndorsements
  readonly policy: PolicySource
  readonly remotePolicy?: RemotePolicy
  /** Default: the tenant does not speak the Key Broker protocol. */
  readonly broker?: BrokerSwitches
}

/** How long a replica takes, at most, to hear of what another did; the rest of the second is for its listeners. */
const EVENTS_MS = 500

/** Throws Problem('configuration-invalid') when a stored key does not open, and 'storage-unavailable'. */
export async function openVerifier(parts: VerifierParts): Promise<Verifier> {
  const { store, journal, random, clock, proofs, publicUrl, build, pause } = parts
  // Before anything is read that events are about.
  const events = await eventFeed(store, (cause) =>
    journal.record({ event: 'request.failed', at: clock.now(), cause }),
  )
  const challenges = await openChallengeKeys(parts)
  const { log, chores: logChores } = await openLog(parts)
  const tenants = await Promise.all(
    parts.tenants.map((tenant) => openTenant(parts, tenant, events)),
  )
  const keyRings = [challenges.ring, ...tenants.flatMap(({ rings }) => rings)]
  const away = knownOutages(parts)
  // Before anybody is judged by his silence.
  await away.look()
  reloadOnEvents(parts, { rings: keyRings, events })
  const hooks = (parts.webhooks ?? []).map((webhook) => webhookChore(parts, webhook))
  const verifier: Verifier = {
    store,
    journal,
    random,
    clock,
    proofs,
    standings: rememberedStandings(),
    resources: heldResources(store),
    publicUrl,
    build,
    pause,
    challengeKeys: challenges.keys,
    keyRings,
    keyEncryption: parts.keyEncryption,
    keyRotationDays: parts.keyRotationDays,
    events,
    statusSlots: statusSlots(parts),
    log,
    outages: away.outages,
    webhooks: () => hooks.map(({ figures }) => figures()),
    chores: [
      { name: 'events', everyMs: EVENTS_MS, run: events.poll },
      away.chore,
      keyChore({ ...parts, mayForget: parts.mayForget ?? (() => true) }, keyRings),
      ...logChores,
      ...tenants.map(({ tenant }) => liveWatch({ ...parts, events }, tenant)),
      ...tenants.map(({ tenant }) => sessionWatch({ ...parts, events }, tenant)),
      ...tenants.map(({ tenant }) => banChore({ ...parts, events }, tenant)),
      ...hooks.map(({ chore }) => chore),
    ],
    tenants: new Map(tenants.map(({ tenant }) => [tenant.name, tenant])),
  }
  parts.drift?.begin(verifier)
  return verifier
}

async function openTenant(
  parts: VerifierParts,
  tenant: TenantParts,
  events: EventFeed,
): Promise<{ readonly tenant: BannableTenant; readonly rings: OpenedIssuer['rings'] }> {
  const names = issuerNames(parts.publicUrl, tenant)
  const [hardware, simulated] = await Promise.all([
    openIssuer(parts, { ...names.hardware, assurance: 'hardware' }),
    names.simulated && openIssuer(parts, { ...names.simulated, assurance: 'simulated' }),
  ])
  const bans = heldBans({ ...parts, events }, tenant.name)
  // Before anybody is judged.
  await bans.reload()
  return {
    rings: [...hardware.rings, ...(simulated?.rings ?? [])],
    tenant: {
      ...tenant,
      remotePolicy: tenant.remotePolicy,
      bans,
      issuers: { hardware: hardware.issuer, simulated: simulated?.issuer },
    },
  }
}

/** Ids and groups of every TEE's checks that a policy may waive. */
export function waivableByPolicy(): ReadonlySet<string> {
  return new Set(tees.flatMap((tee) => [...waivableIn(tee)]))
}
