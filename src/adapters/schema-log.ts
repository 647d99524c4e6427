/** The tables of the transparency log. */
import { bigint, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import type { LeafKind } from '../service/log-ports.ts'
import { bytea, instant } from './schema-columns.ts'

/** Private bodies of leaves, in the order in which they came. */
export const logBodies = pgTable('log_bodies', {
  id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  kind: text().$type<LeafKind>().notNull(),
  entry: bytea().notNull(),
  salt: bytea().notNull(),
  record: bytea().notNull(),
  tenant: text(),
  subject: text().notNull(),
})

/** Leaves that have no number yet: emptied again every half second, and small. `id` is that of the body. */
export const logWaiting = pgTable('log_waiting', {
  leafHash: bytea('leaf_hash').primaryKey(),
  id: bigint({ mode: 'number' }).notNull(),
})

/** The log itself. `body` is null for the root of a batch of denials. */
export const logEntries = pgTable(
  'log_entries',
  {
    index: bigint({ mode: 'number' }).primaryKey(),
    kind: text().$type<LeafKind>().notNull(),
    entry: bytea().notNull(),
    leafHash: bytea('leaf_hash').notNull(),
    body: bigint({ mode: 'number' }),
  },
  ({ leafHash }) => [index().on(leafHash)],
)

export const logDenials = pgTable(
  'log_denials',
  {
    index: bigint({ mode: 'number' }).notNull(),
    position: integer().notNull(),
    leafHash: bytea('leaf_hash').notNull(),
    body: bigint({ mode: 'number' }),
  },
  ({ index: root, position, leafHash }) => [
    primaryKey({ columns: [root, position] }),
    index().on(leafHash),
  ],
)

export const logTiles = pgTable(
  'log_tiles',
  {
    level: integer().notNull(),
    index: bigint({ mode: 'number' }).notNull(),
    hashes: bytea().notNull(),
  },
  ({ level, index: at }) => [primaryKey({ columns: [level, at] })],
)

/** One row, or none. */
export const logHead = pgTable('log_head', {
  id: integer().primaryKey(),
  size: bigint({ mode: 'number' }).notNull(),
  root: bytea().notNull(),
  checkpoint: text().notNull(),
  at: instant('at').notNull(),
})
