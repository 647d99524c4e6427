/**
 * The tables, for PGlite and PostgreSQL alike. `npx drizzle-kit generate` writes what a change here means into migrations/,
 * whose files are applied at start, in order, each once.
 */
import {
  customType,
  index,
  json,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { Status, TrustVector } from '../rats/trust-vector.ts'
import type { RecordedFinding } from '../service/ports.ts'

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
    tee: text().notNull(),
    verdict: text().$type<'issued' | 'refused'>().notNull(),
    status: text().$type<Status>().notNull(),
    trustVector: json('trust_vector').$type<TrustVector>().notNull(),
    findings: json().$type<readonly RecordedFinding[]>().notNull(),
    policyCommit: text('policy_commit').notNull(),
    policyDigest: text('policy_digest').notNull(),
    manifest: text().notNull(),
    referenceValue: text('reference_value'),
    runtimeClaims: json('runtime_claims').$type<RuntimeClaims>().notNull(),
    quote: bytea().notNull(),
    auxblob: bytea(),
    eventLog: bytea('event_log'),
    endorsementsDigest: text('endorsements_digest').notNull(),
    tokenId: text('token_id'),
    tokenExpiresAt: instant('token_expires_at'),
  },
  ({ tenant, environment, agent, at }) => [index().on(tenant, environment, agent, at)],
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
