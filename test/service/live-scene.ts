/** Live tokens on stored evidence of the fleet, a policy that the test changes, and a vendor that says what the test wants. */
import { randomBytes } from 'node:crypto'
import { memoryStore } from '#src/adapters/memory-store.ts'
import type { Policy } from '#src/policy/policy.ts'
import { Problem } from '#src/problems.ts'
import { type EndorsementParts, endorsements, noParts } from '#src/rats/endorsements.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import type { CollectEndorsements } from '#src/service/collect-endorsements.ts'
import { eventFeed } from '#src/service/event-feed.ts'
import type { PolicySource } from '#src/service/policy-ports.ts'
import type { AppraisalRecord, JournalEntry, Store } from '#src/service/ports.ts'
import type { TokenRecord } from '#src/service/token-ports.ts'
import type { Tenant } from '#src/service/verifier.ts'
import { amdPki } from '../../enclave/simulator/amd.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { AT, type Attestation, tenant as decidingTenant, stored } from './fleet.ts'

/** The authority of the fleet's machines: the same keys. */
const pki = amdPki({
  chance: seededChance('fleet'),
  product: 'Genoa',
  issued: new Date('2026-05-20T00:00:00Z'),
})

const issued = new Date('2026-05-31T00:00:00Z')
const day = 24 * 3600_000
const ASK_SERIAL = 0x02_0001n

/** Newer than the fleet's own. */
export const newerCrl = pki.crl({ thisUpdate: issued })
export const revokingCrl = pki.crl({
  thisUpdate: issued,
  revoked: [{ serial: ASK_SERIAL, at: issued }],
})
export const staleCrl = pki.crl({
  thisUpdate: new Date(AT.getTime() - 2 * day),
  nextUpdate: new Date(AT.getTime() - day),
})

export interface LiveScene {
  readonly store: Store
  readonly journal: readonly JournalEntry[]
  readonly clock: { at: Date }
  readonly policy: { current: Policy | undefined }
  /** What the vendor says: lists, or undefined while it does not answer; not whole: of some documents only. Each assignment is a renewal. */
  readonly vendor: { says: Partial<EndorsementParts> | undefined; isWhole: boolean }
  readonly tenant: Tenant
  readonly verifier: Awaited<ReturnType<typeof verifierOf>>
  /** Evidence with so many live tokens. */
  readonly attested: (
    asked: Attestation,
    tokens?: { readonly count?: number; readonly lifeSeconds?: number },
  ) => Promise<AppraisalRecord>
  /** In the database, and in force here. */
  readonly accept: (policy: Policy) => Promise<void>
  readonly revoked: (record: AppraisalRecord) => Promise<readonly (string | undefined)[]>
}

/** `asksVendor`: whether there is one to be asked. */
export async function liveScene({ asksVendor = true } = {}): Promise<LiveScene> {
  const store = memoryStore()
  const journal: JournalEntry[] = []
  const clock = { at: AT }
  const policy: LiveScene['policy'] = { current: undefined }
  const { vendor, collect } = vendorOf(asksVendor)
  const tenant = {
    ...decidingTenant,
    collect,
    policy: { accepted: () => policy.current } as PolicySource,
  } as unknown as Tenant
  let sequence = 0
  let jtis = 0
  return {
    store,
    journal,
    clock,
    policy,
    vendor,
    tenant,
    verifier: await verifierOf(store, { clock, journal }),
    async attested(asked, { count = 1, lifeSeconds = 300 } = {}) {
      return await stored(store, asked, (record) =>
        Array.from({ length: count }, () => tokenOf(record, { number: ++jtis, lifeSeconds })),
      )
    },
    async accept(next) {
      const head = await store.policyHeadOf('default')
      const accepted = await store.acceptPolicy(
        head?.commit,
        {
          tenant: 'default',
          sequence: ++sequence,
          commit: next.commit,
          digest: next.digest,
          marks: {},
          provenance: {},
          acceptedAt: clock.at,
        },
        leafOf(next.commit),
      )
      if (accepted !== 'accepted') throw new Error(accepted)
      policy.current = next
    },
    async revoked(record) {
      const tokens = await store.tokensOf(record.id)
      return tokens.map(({ revocation }) => revocation?.reason)
    },
  }
}

async function verifierOf(
  store: Store,
  { clock, journal }: { readonly clock: { at: Date }; readonly journal: JournalEntry[] },
) {
  return {
    store,
    random: { bytes: (size: number) => new Uint8Array(randomBytes(size)) },
    clock: { now: () => clock.at },
    journal: { record: (entry: JournalEntry) => void journal.push(entry) },
    events: await eventFeed(store),
    proofs: proofCache(1000),
    pause: () => new Promise<void>((resume) => setImmediate(resume)),
  }
}

function vendorOf(asksVendor: boolean) {
  let says: Partial<EndorsementParts> | undefined
  let renewals = 0
  const vendor = {
    isWhole: true,
    get says() {
      return says
    },
    set says(parts: Partial<EndorsementParts> | undefined) {
      says = parts
      renewals++
    },
  }
  const collect: CollectEndorsements = async (_evidence, _tee, brought = noParts) => ({
    endorsements: endorsements(brought, says ?? {}),
    missing:
      says && vendor.isWhole
        ? []
        : [
            {
              subject: { document: 'amd-crl', product: 'Genoa', key: 'vcek' },
              problem: new Problem('collateral-unavailable', 'nobody answers'),
            },
          ],
  })
  return {
    vendor,
    collect: asksVendor ? Object.assign(collect, { renewals: () => renewals }) : collect,
  }
}

function tokenOf(
  record: AppraisalRecord,
  { number, lifeSeconds }: { readonly number: number; readonly lifeSeconds: number },
): TokenRecord {
  return {
    jti: `jti-${number.toString().padStart(6, '0')}`,
    appraisal: record.id,
    tenant: record.tenant,
    environment: record.environment,
    agent: record.agent,
    form: 'possession',
    issuer: 'https://verifier.example/simulated',
    audience: 'kms.example',
    scopes: [],
    jkt: record.runtimeClaims.sig_jkt,
    subject: 'simulated:spiffe://verifier.example/t/default',
    issuedAt: record.at,
    expiresAt: new Date(record.at.getTime() + lifeSeconds * 1000),
    status: { list: 1, index: number },
    session: undefined,
  }
}

function leafOf(commit: string) {
  const empty = new Uint8Array()
  return {
    kind: 'policy',
    entry: empty,
    leafHash: new Uint8Array(Buffer.from(commit.padEnd(64, '0').slice(0, 64), 'hex')),
    salt: empty,
    record: empty,
    tenant: 'default',
    subject: commit,
  } as const
}
