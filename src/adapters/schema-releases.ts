/** The tables of secrets and model keys, of who agreed to their release, and of releases. */
import {
  boolean,
  index,
  integer,
  json,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import type { ReleaseRecord, ResourceUse } from '../service/release-ports.ts'
import { bytea, instant } from './schema-columns.ts'

/** Whoever records a release, changes a resource or revokes a version of it holds its row: then these come one after another. */
export const resources = pgTable(
  'resources',
  {
    tenant: text().notNull(),
    name: text().notNull(),
    use: text().$type<ResourceUse>().notNull(),
    approvals: integer().notNull(),
    leaseSeconds: integer('lease_seconds').notNull(),
    releasesPerMinute: integer('releases_per_minute'),
    brokerPath: text('broker_path'),
    requiresSession: boolean('requires_session').notNull(),
    acceptsSimulated: boolean('accepts_simulated').notNull().default(false),
    revision: integer().notNull(),
    /** Minutes since 1970; written only where there is a limit. */
    countedMinute: integer('counted_minute').notNull().default(0),
    /** Releases in that minute. */
    counted: integer().notNull().default(0),
  },
  ({ tenant, name, brokerPath }) => [
    primaryKey({ columns: [tenant, name] }),
    uniqueIndex().on(tenant, brokerPath),
  ],
)

export const resourceVersions = pgTable(
  'resource_versions',
  {
    tenant: text().notNull(),
    name: text().notNull(),
    version: integer().notNull(),
    createdAt: instant('created_at').notNull(),
    createdBy: text('created_by').notNull(),
    revokedAt: instant('revoked_at'),
    sealed: bytea().notNull(),
  },
  ({ tenant, name, version }) => [primaryKey({ columns: [tenant, name, version] })],
)

export const releaseApprovals = pgTable(
  'release_approvals',
  {
    id: text().primaryKey(),
    tenant: text().notNull(),
    resource: text().notNull(),
    version: integer().notNull(),
    environment: text().notNull(),
    agent: text().notNull(),
    jkt: text().notNull(),
    requestedAt: instant('requested_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    approvedBy: json('approved_by')
      .$type<
        readonly { readonly operator: string; readonly at: string; readonly seal?: string }[]
      >()
      .notNull(),
  },
  ({ tenant, requestedAt, expiresAt }) => [index().on(tenant, requestedAt), index().on(expiresAt)],
)

/** One index besides the key, because every release pays for each. */
export const releases = pgTable(
  'releases',
  {
    id: uuid().primaryKey(),
    at: instant('at').notNull(),
    tenant: text().notNull(),
    environment: text().notNull(),
    agent: text().notNull(),
    resource: text().notNull(),
    version: integer().notNull(),
    use: text().$type<ResourceUse>().notNull(),
    jti: text().notNull(),
    face: text().$type<ReleaseRecord['face']>().notNull(),
    jkt: text().notNull(),
    policyCommit: text('policy_commit').notNull(),
    policyDigest: text('policy_digest').notNull(),
    leaseUntil: instant('lease_until'),
    leafHash: bytea('leaf_hash').notNull(),
  },
  ({ at }) => [index().on(at)],
)

/** What is null until the session is attested is null together. */
export const brokerSessions = pgTable(
  'broker_sessions',
  {
    id: text().primaryKey(),
    tenant: text().notNull(),
    tee: text().notNull(),
    version: text().notNull(),
    nonce: text().notNull(),
    createdAt: instant('created_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    spentAt: instant('spent_at'),
    attestedAt: instant('attested_at'),
    environment: text(),
    agent: text(),
    appraisal: text(),
    teePublicKey: text('tee_public_key'),
    policyCommit: text('policy_commit'),
    attestedUntil: instant('attested_until'),
  },
  ({ expiresAt }) => [index().on(expiresAt)],
)
