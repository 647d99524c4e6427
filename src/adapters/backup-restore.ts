/**
 * A backup into an empty database, of either engine, all or nothing. What the service did after the backup is lost, so what
 * it promised meanwhile must not be contradicted: keys, status slots and numbers of events start afresh. The
 * transparency log does not: if entries were published after the backup, going on from here would fork it. Whoever restores
 * compares the head with the last checkpoint that a witness has.
 */
import { Problem } from '../problems.ts'
import {
  type BackupHeader,
  type BackupLine,
  headerSchema,
  linesOf,
  parseLine,
  rowSchema,
  trailerSchema,
  unusable,
} from './backup-format.ts'
import { type BackedUpTable, quoted, tablesIn } from './backup-tables.ts'
import type { BackupProgress } from './backup-write.ts'
import { applyIn, migrations, pendingMigrations } from './migrations.ts'
import { answered, sqlState } from './sql-answered.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'
import { locks, waitForLock } from './sql-locks.ts'
import { makePartitions } from './sql-partitions.ts'

export interface Restored {
  readonly header: BackupHeader
  /** All but the log's: challenges and tokens from before the restore are refused. */
  readonly forgottenKeys: number
  /** Of the transparency log; undefined where it had not begun. */
  readonly log: { readonly size: number; readonly checkpoint: string } | undefined
}

export interface RestoreTerms {
  readonly at: Date
  readonly chunks: AsyncIterable<Uint8Array>
  readonly progress?: (progress: BackupProgress) => void
}

/** Throws Problem: 'configuration-invalid' for a file or a database that will not do, 'storage-unavailable'. */
export async function restoreBackup(
  engine: SqlEngine,
  { at, chunks, progress = () => {} }: RestoreTerms,
): Promise<Restored> {
  const lines = linesOf(chunks)
  const header = parseLine(headerSchema, await nextOf(lines), 'its first line')
  await refuseNewer(engine, header)
  const restored = await answered(() =>
    engine
      .transaction(async (session) => {
        await applyIn(session, header.migration)
        await load(session, { header, lines, progress })
        await applyIn(session)
        return await startAfresh(session, { header, at })
      })
      .catch(asUnusable),
  )
  await answered(() => makePartitions(engine))
  return restored
}

/** Rows fit the tables of the migration that they were written under, and of no later one. */
async function refuseNewer(engine: SqlEngine, { migration }: BackupHeader): Promise<void> {
  const wanted = migrations.findIndex(({ name }) => name === migration) + 1
  if (wanted === 0)
    throw unusable(`it was made by another version, whose last migration was ${migration}`)
  const pending = await answered(() => pendingMigrations(engine))
  if (migrations.length - pending.length > wanted)
    throw unusable(
      'the database was migrated beyond it already: give it one that is empty, without tables',
    )
}

/** Damage may show before the digest at the end does: as a value that is none (class 22) or breaks a constraint (23). */
function asUnusable(error: unknown): never {
  if (/^2[23]/.test(sqlState(error) ?? ''))
    throw unusable('the database refuses what is in it: it was altered', error)
  throw error
}

async function load(
  session: SqlSession,
  {
    header,
    lines,
    progress,
  }: {
    readonly header: BackupHeader
    readonly lines: AsyncGenerator<BackupLine>
    readonly progress: (progress: BackupProgress) => void
  },
): Promise<void> {
  const tables = await tablesIn(session)
  refuseOtherTables(header, tables)
  for (const { name } of tables) await refuseRows(session, name)
  const total = header.tables.reduce((sum, { rows }) => sum + rows, 0)
  let done = 0
  for (const [n, { rows }] of header.tables.entries()) {
    const table = tables[n]
    if (!table) throw new Error('a table that was compared is gone')
    const insert = inserter(session, table)
    for (let row = 1; row <= rows; row += 1) {
      const line = await nextOf(lines)
      await insert.add(parseLine(rowSchema, line, `row ${row} of ${table.name}`))
      done += 1
      if (row === rows || row % 1000 === 0) progress({ table: table.name, rows: row, done, total })
    }
    await insert.flush()
  }
  const end = await nextOf(lines)
  const { sha256 } = parseLine(trailerSchema, end, 'its last line')
  if (sha256 !== end.sha256)
    throw unusable(`it was altered: its SHA-256 is ${end.sha256}, and it says ${sha256}`)
  if (!(await lines.next()).done) throw unusable('something follows its last line')
}

async function nextOf(lines: AsyncGenerator<BackupLine>): Promise<BackupLine> {
  const { value, done } = await lines.next()
  if (done) throw unusable('it ends too early: it was truncated')
  return value
}

function refuseOtherTables(header: BackupHeader, tables: readonly BackedUpTable[]): void {
  const form = (all: readonly { readonly name: string; readonly columns: readonly string[] }[]) =>
    JSON.stringify(all.map(({ name, columns }) => [name, columns]))
  const own = tables.map(({ name, columns }) => ({
    name,
    columns: columns.map((column) => column.name),
  }))
  if (form(header.tables) !== form(own))
    throw unusable('its tables are not those of the migration that it names')
}

async function refuseRows(session: SqlSession, name: string): Promise<void> {
  const rows = await session.rows({ text: `select 1 from ${quoted(name)} limit 1` })
  if (rows.length > 0)
    throw new Problem(
      'configuration-invalid',
      `a backup is restored into an empty database only, and the table ${name} has rows: make a new database or data directory`,
    )
}

const MOST_ROWS = 500
const MOST_CHARACTERS = 4_000_000

function inserter(session: SqlSession, { name, columns }: BackedUpTable) {
  const names = columns.map((column) => quoted(column.name)).join(', ')
  const values = columns.map(({ type }, n) => `c${n}::${type}`).join(', ')
  const arrays = columns.map((_, n) => `$${n + 1}::text[]`).join(', ')
  const aliases = columns.map((_, n) => `c${n}`).join(', ')
  const text = `insert into ${quoted(name)} (${names}) overriding system value
    select ${values} from unnest(${arrays}) as given(${aliases})`
  let rows: (readonly (string | null)[])[] = []
  let characters = 0

  async function flush(): Promise<void> {
    if (rows.length === 0) return
    const parameters = columns.map((_, n) => ({
      type: 'text' as const,
      elements: rows.map((row) => row[n] ?? null),
    }))
    await session.rows({ text, values: parameters })
    rows = []
    characters = 0
  }

  return {
    flush,
    async add(row: readonly (string | null)[]) {
      if (row.length !== columns.length)
        throw unusable(`a row of ${name} has ${row.length} values for ${columns.length} columns`)
      rows.push(row)
      characters += row.reduce((sum, value) => sum + (value?.length ?? 0), 0)
      if (rows.length >= MOST_ROWS || characters >= MOST_CHARACTERS) await flush()
    },
  }
}

async function startAfresh(
  session: SqlSession,
  { header, at }: { readonly header: BackupHeader; readonly at: Date },
): Promise<Restored> {
  for (const { name, columns } of await tablesIn(session))
    for (const column of columns)
      if (column.isIdentity)
        await session.rows({
          text: `select setval(pg_get_serial_sequence('${quoted(name)}', '${column.name}'),
            coalesce(max(${quoted(column.name)}), 0) + 1, false) from ${quoted(name)}`,
        })
  // A challenge that was used after the backup would be good again, and so would a signing key that was revoked since. New
  // ones are made at the next start. The log's key is its name.
  const forgotten = await session.rows({
    text: `delete from keys where purpose <> 'log' returning kid`,
  })
  // Slots that were given out after the backup would be given out again.
  await session.rows({ text: 'update status_lists set next = capacity' })
  // A nonce that was spent after the backup would be good again.
  await session.rows({ text: 'delete from broker_sessions' })
  await suspendSessions(session, at)
  await jumpEvents(session, at)
  const [head] = await session.rows({ text: 'select size, checkpoint from log_head' })
  return {
    header,
    forgottenKeys: forgotten.length,
    log: head && { size: Number(head.size), checkpoint: String(head.checkpoint) },
  }
}

/**
 * What a session said after the backup is lost, and so may be said again, or otherwise: messages that somebody kept, or
 * another history from the same checkpoint. So it goes on only with a quote over a new challenge, judged as any other; an
 * agent that is ahead of what is stored cannot, and opens another. Its last answer is not told again. Who was quarantined or
 * banned after the backup is so no more: operators say it again, by what webhooks told them (docs/operations.md).
 */
async function suspendSessions(session: SqlSession, at: Date): Promise<void> {
  const because = {
    reason: 'the database was restored from a backup, and what the session said since then is lost',
    by: 'restore',
  }
  await session.rows({
    text: `update sessions set standing = 'suspended', changed_at = $1, because = $2,
        revision = revision + 1
      where standing = 'open'`,
    values: [at, JSON.stringify(because)],
  })
  await session.rows({ text: 'update sessions set last_digest = null, last_answer = null' })
  // Whoever held them is not there any more.
  await session.rows({ text: 'update webhook_cursors set held_until = $1', values: [at] })
}

/**
 * Whoever follows events has perhaps seen numbers that came after the backup, and would wait for higher ones. Milliseconds
 * since 1970 are above any number that was counted up to from an earlier one of these.
 */
async function jumpEvents(session: SqlSession, at: Date): Promise<void> {
  await waitForLock(session, locks.events)
  await session.rows({
    text: `insert into events (sequence, at, kind, tenant, fields)
      select greatest(coalesce(max(sequence), 0) + 1, $1::bigint), $2, 'keys.changed', null, $3
      from events`,
    values: [at.getTime(), at, JSON.stringify({ purpose: 'challenge' })],
  })
}
