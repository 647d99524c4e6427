/** The tables of sessions, of what they measured, and of when nobody listened to them. */
import { bigint, index, integer, json, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import type { SessionAnswer } from '../rats/session-message.ts'
import type { SessionRecord, Standing } from '../service/session-ports.ts'
import { instant } from './schema-columns.ts'
import type { SessionProgress } from './session-progress.ts'

/**
 * A heartbeat writes `heard_at`, `revision`, `progress` and `last_`, and no index holds one of these: then the new row is put
 * beside the old one and no index is written (PostgreSQL's manual, 66.7, heap-only tuples). The migration leaves room for it
 * in each page, and keeps rows out of TOAST.
 */
export const sessions = pgTable(
  'sessions',
  {
    id: text().primaryKey(),
    tenant: text().notNull(),
    environment: text().notNull(),
    agent: text().notNull(),
    jkt: text().notNull(),
    boot: text().notNull(),
    openedAt: instant('opened_at').notNull(),
    standing: text().$type<Standing>().notNull(),
    changedAt: instant('changed_at').notNull(),
    /** `json`, as what follows: a reason quotes what attackers named their files. */
    because: json().$type<Because>().notNull(),
    record: json().$type<SessionDocument>().notNull(),
    revision: integer().notNull(),
    heardAt: instant('heard_at').notNull(),
    progress: json().$type<ProgressDocument>().notNull(),
    lastDigest: text('last_digest'),
    lastAnswer: json('last_answer').$type<SessionAnswer>(),
  },
  ({ id, tenant, environment, agent, boot, standing, openedAt }) => [
    // Pages of one standing, and how many there are of each.
    index().on(tenant, standing, id),
    // What stands and falls with one: thousands fall when a policy falls, and each looks for the others.
    index().on(tenant, environment, agent, boot),
    // Whatever is forgotten was opened before.
    index().on(openedAt),
  ],
)

/** Why, and by whom or what. */
export interface Because {
  readonly reason: string
  readonly by: string
}

/** What only a quote changes, if anything does. */
export interface SessionDocument
  extends Pick<
    SessionRecord,
    | 'subject'
    | 'issuer'
    | 'jwk'
    | 'platforms'
    | 'collector'
    | 'modes'
    | 'appraisal'
    | 'heartbeatSeconds'
    | 'attestEverySeconds'
    | 'quotedMeasurements'
  > {
  readonly encryptionJwk: SessionRecord['jwk'] | null
  /** ISO 8601. */
  readonly quotedAt: string
}

export interface ProgressDocument
  extends Omit<SessionProgress, 'heardAt' | 'lastMessage' | 'demanded'> {
  readonly demanded: NonNullable<SessionRecord['demanded']> | null
}

/** Rows are added and never changed. Without a foreign key, for which every row would lock its session once more. */
export const sessionDeltas = pgTable(
  'session_deltas',
  {
    session: text().notNull(),
    seq: bigint({ mode: 'number' }).notNull(),
    measurement: json().$type<readonly string[]>().notNull(),
  },
  ({ session, seq }) => [primaryKey({ columns: [session, seq] })],
)

/** Empty `environment` and `agent`: whichever. */
export const bans = pgTable(
  'bans',
  {
    tenant: text().notNull(),
    platform: text().notNull(),
    environment: text().notNull(),
    agent: text().notNull(),
    because: json().$type<Because>().notNull(),
    at: instant('at').notNull(),
  },
  ({ tenant, platform, environment, agent }) => [
    primaryKey({ columns: [tenant, platform, environment, agent] }),
  ],
)

/** When each replica last said that it answers. */
export const serviceAlive = pgTable('service_alive', {
  replica: text().primaryKey(),
  at: instant('at').notNull(),
})

export const outages = pgTable('outages', {
  /** One cannot begin where another did: the service was alive in between. */
  from: instant('from_at').primaryKey(),
  until: instant('until_at').notNull(),
})

export const webhookCursors = pgTable('webhook_cursors', {
  name: text().primaryKey(),
  sequence: bigint({ mode: 'number' }).notNull(),
  holder: text().notNull(),
  heldUntil: instant('held_until').notNull(),
})
