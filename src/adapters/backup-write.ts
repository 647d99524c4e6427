/** Everything that the database holds at one instant, written out while the service goes on. */
import { createHash } from 'node:crypto'
import { Problem } from '../problems.ts'
import type { BackupHeader } from './backup-format.ts'
import { type BackedUpTable, quoted, tablesIn } from './backup-tables.ts'
import { migrations, pendingMigrations } from './migrations.ts'
import { answered } from './sql-answered.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'

export interface BackupProgress {
  readonly table: string
  readonly rows: number
  /** Of all tables together. */
  readonly done: number
  readonly total: number
}

export interface BackupTerms {
  readonly at: Date
  /** Resolves when more may come. */
  readonly write: (bytes: Uint8Array) => Promise<void>
  readonly progress?: (progress: BackupProgress) => void
}

const ROWS_AT_ONCE = 200
const LONGEST_MS = 3600_000

/**
 * Of an older version's database too: `restore` migrates it then. Throws Problem: 'configuration-invalid' for one that is
 * empty or of a newer version, 'storage-unavailable'. Rejects with what `write` rejects with.
 */
export async function writeBackup(engine: SqlEngine, terms: BackupTerms): Promise<BackupHeader> {
  const pending = await answered(() => pendingMigrations(engine))
  const last = migrations.at(-1 - pending.length)
  if (pending.length === migrations.length || !last)
    throw new Problem('configuration-invalid', 'there is nothing to back up: the database is empty')
  return await engine.transaction(async (session) => {
    // One instant for all tables. Texts of times and bytes must not depend on the server's settings.
    await session.rows({ text: 'set transaction isolation level repeatable read, read only' })
    for (const setting of ["datestyle = 'ISO'", "timezone = 'UTC'", "bytea_output = 'hex'"])
      await session.rows({ text: `set local ${setting}` })
    await session.rows({ text: 'set local statement_timeout = 0' })
    // Whoever takes the rows may be slow.
    await session.rows({ text: 'set local idle_in_transaction_session_timeout = 0' })
    return await writeFrom(session, last.name, terms)
  })
}

async function writeFrom(
  session: SqlSession,
  migration: string,
  { at, write, progress = () => {} }: BackupTerms,
): Promise<BackupHeader> {
  const digest = createHash('sha256')
  const writeLines = async (lines: readonly string[]) => {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
    digest.update(bytes)
    await write(bytes)
  }
  const tables = await tablesIn(session)
  const header = await headerOf(session, tables, { migration, at })
  await writeLines([JSON.stringify(header)])
  const total = header.tables.reduce((sum, { rows }) => sum + rows, 0)
  let done = 0
  for (const table of tables) {
    let rows = 0
    for await (const lines of linesOf(session, table)) {
      await writeLines(lines)
      rows += lines.length
      done += lines.length
      progress({ table: table.name, rows, done, total })
    }
  }
  await write(Buffer.from(`${JSON.stringify({ sha256: digest.digest('hex') })}\n`))
  return header
}

async function headerOf(
  session: SqlSession,
  tables: readonly BackedUpTable[],
  { migration, at }: { readonly migration: string; readonly at: Date },
): Promise<BackupHeader> {
  const counted: BackupHeader['tables'] = []
  for (const { name, columns } of tables) {
    const [row] = await session.rows({
      text: `select count(*) as rows from ${quoted(name)}`,
      timeoutMs: LONGEST_MS,
    })
    counted.push({ name, columns: columns.map((column) => column.name), rows: Number(row?.rows) })
  }
  return {
    format: 'vouchsafe-backup',
    version: 1,
    madeAt: at.toISOString(),
    migration,
    tables: counted,
  }
}

/** As texts, JSON columns too: JSON inside JSON cannot carry every string that they hold. */
async function* linesOf(
  session: SqlSession,
  { name, columns }: BackedUpTable,
): AsyncGenerator<readonly string[]> {
  const texts = columns.map((column) => `${quoted(column.name)}::text`)
  await session.rows({
    text: `declare backup no scroll cursor for
      select json_build_array(${texts.join(', ')})::text as line from ${quoted(name)}`,
  })
  for (;;) {
    const rows = await session.rows({
      text: `fetch ${ROWS_AT_ONCE} from backup`,
      timeoutMs: LONGEST_MS,
    })
    if (rows.length > 0) yield rows.map(({ line }) => String(line).replaceAll('\n', ' '))
    if (rows.length < ROWS_AT_ONCE) break
  }
  await session.rows({ text: 'close backup' })
}
