/** The database without a service on it: for `vouchsafe migrate`, `backup` and `restore`. */
import { backupToFile, restoreFromFile } from '../adapters/backup-file.ts'
import type { BackupHeader } from '../adapters/backup-format.ts'
import { restoreBackup } from '../adapters/backup-restore.ts'
import { writeBackup } from '../adapters/backup-write.ts'
import { applyMigrations, pendingMigrations } from '../adapters/migrations.ts'
import { openPgliteEngine } from '../adapters/pglite-store.ts'
import { openPostgresEngine } from '../adapters/postgres-store.ts'
import type { SqlEngine } from '../adapters/sql-engine.ts'
import { systemClock } from '../adapters/system.ts'
import type { BackedUp } from '../cli/backup.ts'
import type { RowProgress } from '../cli/backup-progress.ts'
import type { RestoredDatabase } from '../cli/restore.ts'
import type { DatabasePlace } from '../config.ts'
import { Problem } from '../problems.ts'

/** Names of the migrations that the database lacks, the oldest first. Throws Problem. */
export async function pending(place: DatabasePlace): Promise<readonly string[]> {
  return await withEngine(place, pendingMigrations)
}

/** Applies them, all or nothing; resolves to their names. Throws Problem. */
export async function migrate(place: DatabasePlace): Promise<readonly string[]> {
  return await withEngine(place, (engine) => applyMigrations(engine))
}

/** Where bytes go and come from when the file is `-`. */
export interface Pipes {
  /** Resolves when more may come. */
  readonly write: (bytes: Uint8Array) => Promise<void>
  readonly input: () => AsyncIterable<Uint8Array>
}

/** `file`: `-` for the pipe. Throws Problem. */
export async function backUp(
  place: DatabasePlace,
  file: string,
  { told: progress, write }: { readonly told: (told: RowProgress) => void } & Pick<Pipes, 'write'>,
): Promise<BackedUp> {
  const at = systemClock.now()
  const header = await withEngine(place, (engine) =>
    file === '-'
      ? writeBackup(engine, { at, progress, write })
      : backupToFile(engine, file, { at, progress }),
  )
  return summaryOf(header)
}

/** `file`: `-` for the pipe. Throws Problem. */
export async function restore(
  place: DatabasePlace,
  file: string,
  { told: progress, input }: { readonly told: (told: RowProgress) => void } & Pick<Pipes, 'input'>,
): Promise<RestoredDatabase> {
  const at = systemClock.now()
  const { header, ...restored } = await withEngine(place, (engine) =>
    file === '-'
      ? restoreBackup(engine, { at, progress, chunks: input() })
      : restoreFromFile(engine, file, { at, progress }),
  )
  return { ...summaryOf(header), ...restored }
}

function summaryOf({ madeAt, migration, tables }: BackupHeader): BackedUp {
  return {
    madeAt,
    migration,
    tables: tables.length,
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
  }
}

/** Throws Problem: what the driver says holds no password, and of a failed statement nobody asked for its parameters. */
export async function withEngine<T>(
  { dataDirectory, databaseUrl }: DatabasePlace,
  work: (engine: SqlEngine) => Promise<T>,
): Promise<T> {
  const engine =
    databaseUrl === undefined
      ? await openPgliteEngine(dataDirectory)
      : openPostgresEngine(databaseUrl)
  try {
    return await work(engine)
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause)
    throw new Problem('storage-unavailable', `the database did not do as asked: ${reason}`, {
      cause,
    })
  } finally {
    await engine.close()
  }
}
