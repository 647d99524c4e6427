/**
 * The tables, for PGlite and PostgreSQL alike: here evidence and policies, and the rest in schema-tokens.ts, schema-log.ts,
 * schema-releases.ts and schema-sessions.ts. `npm run migrations` writes what a change means into migrations/, whose files are applied in
 * order, each once.
 */
import { index, integer, json, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import type { AcceptedState } from '../policy/acceptance/acceptance.ts'
import type { DriftEntry, EnforcementPoint } from '../service/policy-ports.ts'
import type { Verdict } from '../service/ports.ts'
import { bytea, instant } from './schema-columns.ts'

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
 * One row an attestation: what is searched by, and the rest of the record as one document. What is the same in one
 * attestation after another (findings, certificate tables, event logs, endorsements) is in `contents`, once.
 *
 * Partitioned by day of `at` (migration 0002; drizzle has no words for it), so that forgetting a day of evidence is
 * dropping a table: sql-partitions.ts. That is why the key has `at` in it.
 *
 * `json` and not `jsonb`: records quote what attackers wrote into certificates, and jsonb cannot hold U+0000. Nothing in
 * them is searched by the database.
 */
export const appraisals = pgTable(
  'appraisals',
  {
    id: uuid().notNull(),
    at: instant('at').notNull(),
    tenant: text().notNull(),
    environment: text().notNull(),
    agent: text().notNull(),
    verdict: text().$type<Verdict>().notNull(),
    record: json().notNull(),
    quote: bytea().notNull(),
    /** These four name rows of `contents`. */
    findings: text('findings_digest').notNull(),
    auxblob: text('auxblob_digest'),
    eventLog: text('event_log_digest'),
    endorsementsDigest: text('endorsements_digest').notNull(),
    leafHash: bytea('leaf_hash').notNull(),
  },
  ({ tenant, at, id }) => [
    primaryKey({ columns: [id, at] }),
    // The order in which stored evidence is read back, page after page.
    index().on(tenant, at, id),
  ],
)

/** Kept once under a digest, however many appraisals rest on it: the digest is what their rows hold. */
export const contents = pgTable(
  'contents',
  {
    kind: text().$type<ContentKind>().notNull(),
    /** SHA-256 in base64url; of endorsements, the digest that names them everywhere. */
    digest: text().notNull(),
    content: bytea().notNull(),
    /** To the day: writing it at every attestation would double what an attestation writes. */
    lastUsedAt: instant('last_used_at').notNull(),
  },
  ({ kind, digest, lastUsedAt }) => [
    primaryKey({ columns: [kind, digest] }),
    index().on(lastUsedAt),
  ],
)

/** Part of the key, so that nothing that is sent as one kind can take the place of another. */
export type ContentKind = 'endorsements' | 'findings' | 'auxblob' | 'event-log'

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
