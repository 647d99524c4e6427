/**
 * The tables, for PGlite and PostgreSQL alike. `npx drizzle-kit generate` writes what a change here means into migrations/,
 * whose files are applied at start, in order, each once.
 */
import {
  boolean,
  customType,
  index,
  integer,
  json,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'
import type { AcceptedState } from '../policy/acceptance/acceptance.ts'
import type { Layer } from '../rats/release.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { Status, TrustVector } from '../rats/trust-vector.ts'
import type { DriftEntry, EnforcementPoint, RecordedFinding, Verdict } from '../service/ports.ts'

const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'bytea',
  // Drivers hand out a Buffer or a view into a larger one.
  fromDriver: (value) => new Uint8Array(value),
})

const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 })

/** Narrow on purpose: it is written once per attestation and read never. */
export const usedChallenges = pgTable(
  'used_challenges',
  {
    id: text().primaryKey(),
    expiresAt: instant('expires_at').notNull(),
  },
  ({ expiresAt }) => [index().on(expiresAt)],
)

/**
 * `json` and not `jsonb`: findings quote what attackers wrote into certificates, and jsonb cannot hold U+0000. Nothing in
 * them is searched by the database.
 */
export const appraisals = pgTable(
  'appraisals',
  {
    id: uuid().primaryKey(),
    requestId: text('request_id').notNull(),
    at: instant('at').notNull(),
    tenant: text().notNull(),
    environment: text().notNull(),
    agent: text().notNull(),
    audience: text(),
    tee: text().notNull(),
    verdict: text().$type<Verdict>().notNull(),
    status: text().$type<Status>().notNull(),
    trustVector: json('trust_vector').$type<TrustVector>().notNull(),
    findings: json().$type<readonly RecordedFinding[]>().notNull(),
    policyCommit: text('policy_commit').notNull(),
    policyDigest: text('policy_digest').notNull(),
    manifest: text().notNull(),
    manifestCommit: text('manifest_commit'),
    manifestPrincipal: text('manifest_principal'),
    referenceValue: text('reference_value'),
    referenceLine: integer('reference_line'),
    referenceMatched: boolean('reference_matched'),
    layers: json().$type<readonly Layer[]>().notNull().default([]),
    runtimeClaims: json('runtime_claims').$type<RuntimeClaims>().notNull(),
    quote: bytea().notNull(),
    auxblob: bytea(),
    eventLog: bytea('event_log'),
    endorsementsDigest: text('endorsements_digest').notNull(),
    tokenId: text('token_id'),
    tokenExpiresAt: instant('token_expires_at'),
  },
  ({ tenant, at, id }) => [
    // The order in which stored evidence is read back, page after page.
    index().on(tenant, at, id),
    index().on(at),
  ],
)

/** Each set once, under the digest that names it, however many appraisals rest on it. */
export const endorsements = pgTable(
  'endorsements',
  {
    digest: text().primaryKey(),
    parts: bytea().notNull(),
    /** To the day: writing it at every attestation would double what an attestation writes. */
    lastUsedAt: instant('last_used_at').notNull(),
  },
  ({ lastUsedAt }) => [index().on(lastUsedAt)],
)

/** What each tenant's accepted policy is, and what must be remembered to judge the next one. */
export const policies = pgTable('policies', {
  tenant: text().primaryKey(),
  sequence: integer().notNull(),
  commit: text().notNull(),
  digest: text().notNull(),
  marks: json().$type<AcceptedState['marks']>().notNull(),
  provenance: json().$type<AcceptedState['provenance']>().notNull(),
  acceptedAt: instant('accepted_at').notNull(),
})

/** Rows are added and never changed; each hash covers the row before it (service/acceptance-chain.ts). */
export const policyAcceptances = pgTable(
  'policy_acceptances',
  {
    tenant: text().notNull(),
    sequence: integer().notNull(),
    commit: text().notNull(),
    digest: text().notNull(),
    stateDigest: text('state_digest').notNull(),
    acceptedAt: instant('accepted_at').notNull(),
    previous: text().notNull(),
    hash: text().notNull(),
  },
  ({ tenant, sequence }) => [primaryKey({ columns: [tenant, sequence] })],
)

/** When this service first saw a commit: the instant at which its signature is judged. */
export const policySightings = pgTable(
  'policy_sightings',
  {
    tenant: text().notNull(),
    commit: text().notNull(),
    seenAt: instant('seen_at').notNull(),
  },
  ({ tenant, commit, seenAt }) => [primaryKey({ columns: [tenant, commit] }), index().on(seenAt)],
)

export const driftReports = pgTable(
  'drift_reports',
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    tenant: text().notNull(),
    at: instant('at').notNull(),
    fromCommit: text('from_commit').notNull(),
    fromDigest: text('from_digest').notNull(),
    toCommit: text('to_commit').notNull(),
    toDigest: text('to_digest').notNull(),
    examined: integer().notNull(),
    unexaminable: integer().notNull(),
    changed: integer().notNull(),
    entries: json().$type<readonly DriftEntry[]>().notNull(),
  },
  ({ tenant, id }) => [index().on(tenant, id)],
)

export const enforcementPoints = pgTable(
  'enforcement_points',
  {
    tenant: text().notNull(),
    kind: text().$type<EnforcementPoint['kind']>().notNull(),
    name: text().notNull(),
    commit: text().notNull(),
    digest: text().notNull(),
    reportedAt: instant('reported_at').notNull(),
  },
  ({ tenant, kind, name }) => [primaryKey({ columns: [tenant, kind, name] })],
)

export const keys = pgTable(
  'keys',
  {
    purpose: text().notNull(),
    kid: text().notNull(),
    createdAt: instant('created_at').notNull(),
    sealed: bytea().notNull(),
  },
  ({ purpose, kid }) => [primaryKey({ columns: [purpose, kid] })],
)
