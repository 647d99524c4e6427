/**
 * Which migrations does a database lack, and how does it get them? In the table that drizzle's own migrator keeps; but under
 * a lock, for replicas that start together, and never on a database that a newer version has already changed.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { Problem } from '../problems.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'
import { locks, waitForLock } from './sql-locks.ts'

interface Migration {
  /** `0002_service`: the name of its file. */
  readonly name: string
  /** Names it in the database, milliseconds. */
  readonly when: number
}

const journalSchema = z.object({
  entries: z.array(z.object({ tag: z.string(), when: z.number() })),
})

/** A new index on a table of evidence takes minutes. */
const LONGEST_MS = 2 * 3600_000

const folder = new URL('./migrations/', import.meta.url)

/** The oldest first. */
export const migrations: readonly Migration[] = journalSchema
  .parse(JSON.parse(readFileSync(new URL('meta/_journal.json', folder), 'utf8')))
  .entries.map(({ tag, when }) => ({ name: tag, when }))

/** Names, the oldest first; all of them where the database is empty. Throws Problem('configuration-invalid') where it is newer. */
export async function pendingMigrations(engine: SqlEngine): Promise<readonly string[]> {
  return await engine.transaction(async (session) =>
    pendingAfter(await appliedIn(session)).map(({ name }) => name),
  )
}

/**
 * Applies what is pending, all or nothing; resolves to the names. Replicas that do it together take turns, and the second
 * finds nothing to do. Throws Problem('configuration-invalid').
 */
export async function applyMigrations(
  engine: SqlEngine,
  last?: string,
): Promise<readonly string[]> {
  return await engine.transaction((session) => applyIn(session, last))
}

/** As part of a larger transaction. `last`: the name of the last to apply. */
export async function applyIn(session: SqlSession, last?: string): Promise<readonly string[]> {
  await session.rows({ text: 'set local statement_timeout = 0' })
  // Part of a restoration, which waits for whoever brings the rows.
  await session.rows({ text: 'set local idle_in_transaction_session_timeout = 0' })
  await waitForLock(session, locks.migrations, LONGEST_MS)
  const end = migrations.find(({ name }) => name === last)?.when ?? Number.POSITIVE_INFINITY
  const due = pendingAfter(await appliedIn(session)).filter(({ when }) => when <= end)
  if (due.length > 0) await createTable(session)
  for (const migration of due) await apply(session, migration)
  return due.map(({ name }) => name)
}

async function apply(session: SqlSession, { name, when }: Migration): Promise<void> {
  const text = readFileSync(new URL(`${name}.sql`, folder), 'utf8')
  for (const statement of text.split('--> statement-breakpoint'))
    await session.rows({ text: statement, timeoutMs: LONGEST_MS })
  await session.rows({
    text: 'insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)',
    values: [createHash('sha256').update(text).digest('hex'), when],
  })
}

function pendingAfter(applied: readonly number[]): readonly Migration[] {
  const unknown = applied.filter((at) => !migrations.some(({ when }) => when === at))
  if (unknown.length > 0)
    throw new Problem(
      'configuration-invalid',
      `the database was changed by a newer version: it has ${unknown.length} migration(s) that this one does not know, the last from ${new Date(Math.max(...unknown)).toISOString()}. Run that version, or restore a backup from before it into an empty database`,
    )
  return migrations.filter(({ when }) => !applied.includes(when))
}

async function appliedIn(session: SqlSession): Promise<readonly number[]> {
  const [table] = await session.rows({
    text: `select to_regclass('drizzle.__drizzle_migrations') is not null as present`,
  })
  if (table?.present !== true) return []
  const rows = await session.rows({
    text: 'select created_at from drizzle.__drizzle_migrations order by created_at',
  })
  return rows.map(({ created_at }) => Number(created_at))
}

async function createTable(session: SqlSession): Promise<void> {
  await session.rows({ text: 'create schema if not exists drizzle' })
  await session.rows({
    text: `create table if not exists drizzle.__drizzle_migrations
      (id serial primary key, hash text not null, created_at bigint)`,
  })
}
