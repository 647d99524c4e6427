/** The tables of keys, tokens, their revocation, and what replicas tell one another. */
import { isNotNull } from 'drizzle-orm'
import { bigint, index, integer, json, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import type {
  EventKind,
  KeyPurpose,
  RecordedForm,
  Revocation,
  ServiceEvent,
} from '../service/token-ports.ts'
import { bytea, instant } from './schema-columns.ts'

export const keys = pgTable(
  'keys',
  {
    purpose: text().$type<KeyPurpose>().notNull(),
    kid: text().notNull(),
    createdAt: instant('created_at').notNull(),
    activeFrom: instant('active_from').notNull(),
    revokedAt: instant('revoked_at'),
    sealed: bytea().notNull(),
  },
  ({ purpose, kid }) => [primaryKey({ columns: [purpose, kid] })],
)

/**
 * Few indexes, because every attestation pays for each. Tokens of an appraisal are named in its record; what
 * an operator selects by (key, agent) is looked for among the tokens of one tenant that still live.
 */
export const tokens = pgTable(
  'tokens',
  {
    jti: text().primaryKey(),
    appraisal: uuid().notNull(),
    tenant: text().notNull(),
    environment: text().notNull(),
    agent: text().notNull(),
    form: text().$type<RecordedForm>().notNull(),
    issuer: text().notNull(),
    audience: text().notNull(),
    scopes: json().$type<readonly string[]>().notNull(),
    jkt: text().notNull(),
    subject: text().notNull(),
    issuedAt: instant('issued_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    list: integer().notNull(),
    index: integer().notNull(),
    revokedAt: instant('revoked_at'),
    revocationReason: text('revocation_reason').$type<Revocation['reason']>(),
    revocationDetail: text('revocation_detail'),
    revokedBy: text('revoked_by'),
    session: text(),
  },
  ({ expiresAt, list, index: slot, revokedAt, session }) => [
    index().on(expiresAt),
    // One attestation alone does not pay for it.
    index('tokens_session_index').on(session, expiresAt).where(isNotNull(session)),
    // A status list is made of the few that were revoked.
    index('tokens_revoked_index').on(list, slot).where(isNotNull(revokedAt)),
  ],
)

export const statusLists = pgTable(
  'status_lists',
  {
    list: integer().primaryKey().generatedAlwaysAsIdentity(),
    issuer: text().notNull(),
    capacity: integer().notNull(),
    /** The first slot that nobody took. */
    next: integer().notNull(),
    createdAt: instant('created_at').notNull(),
  },
  ({ issuer, list }) => [index().on(issuer, list)],
)

/** Ids of proofs that must not come twice. */
export const usedProofs = pgTable(
  'used_proofs',
  {
    kind: text().notNull(),
    id: text().notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  ({ kind, id, expiresAt }) => [primaryKey({ columns: [kind, id] }), index().on(expiresAt)],
)

/** Numbered under a lock that is held until the commit (sql-events.ts): an identity column would let a later one show first. */
export const events = pgTable(
  'events',
  {
    sequence: bigint({ mode: 'number' }).primaryKey(),
    at: instant('at').notNull(),
    kind: text().$type<EventKind>().notNull(),
    tenant: text(),
    fields: json().$type<ServiceEvent['fields']>().notNull(),
  },
  ({ at }) => [index().on(at)],
)
