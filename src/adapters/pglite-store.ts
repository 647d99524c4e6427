/**
 * The store on PGlite, PostgreSQL inside this process: what a single machine needs, in one directory. It survives the death
 * of the process at any moment; it never asks the disk to write (no fsync in any mode, seen with strace), so it does not
 * survive a power cut, for which there is PostgreSQL.
 */
import { join } from 'node:path'
import type { PGlite, Transaction } from '@electric-sql/pglite'
import { drizzle } from 'drizzle-orm/pglite'
import { Problem } from '../problems.ts'
import type { Store } from '../service/ports.ts'
import { lockDataDirectory } from './data-directory-lock.ts'
import { applyMigrations } from './migrations.ts'
import { openPgliteClient } from './pglite-client.ts'
import { binaryArray } from './postgres-arrays.ts'
import { isSqlArray } from './sql-columns.ts'
import type { Row, SqlEngine, Statement } from './sql-engine.ts'
import { makePartitions } from './sql-partitions.ts'
import { sqlStore } from './sql-store.ts'

/** For whoever starts a service on it to print. */
export const pgliteWarning =
  'The database is PGlite, in this process: it survives kill -9, not power loss. For production, set DATABASE_URL to a PostgreSQL.'

/** Opens, and brings the tables up to date. Throws Problem('configuration-invalid'). */
export async function openPgliteStore(directory: string): Promise<Store> {
  const engine = await openPgliteEngine(directory)
  try {
    await applyMigrations(engine)
    await makePartitions(engine)
    return sqlStore(engine)
  } catch (cause) {
    await engine.close()
    throw unopened(directory, cause)
  }
}

/** For backups too, which need the tables as they are. Throws Problem('configuration-invalid'). */
export async function openPgliteEngine(directory: string): Promise<SqlEngine> {
  const lock = await lockDataDirectory(directory)
  try {
    const client = await openPgliteClient(join(directory, 'database'))
    let isClosed = false
    return {
      // Of all that PGlite has, drizzle asks for `query` and `transaction`.
      database: drizzle({ client: client as unknown as PGlite }),
      rows: ({ name, values = [], ...statement }) =>
        name === undefined
          ? rowsOf(client, { ...statement, values })
          : client.prepared({ ...statement, name, values }),
      transaction: (run) =>
        client.transaction((transaction) =>
          run({ rows: (statement) => rowsOf(transaction, statement) }),
        ),
      // It does one thing at a time.
      concurrency: 1,
      gatherMs: GATHER_MS,
      async close() {
        if (isClosed) return
        isClosed = true
        try {
          await client.close()
        } finally {
          await lock.release()
        }
      },
    }
  } catch (cause) {
    await lock.release()
    throw unopened(directory, cause)
  }
}

/** A statement takes 0.7 ms for one attestation and 0.2 ms for each of sixteen, in which nothing else runs. */
const GATHER_MS = 5

async function rowsOf(
  client: Pick<PGlite | Transaction, 'query'>,
  { text, values = [] }: Statement,
): Promise<readonly Row[]> {
  const parameters = values.map((value) => (isSqlArray(value) ? binaryArray(value) : value))
  const { rows } = await client.query<Row>(text, parameters, { serializers })
  return rows
}

/**
 * By type of the parameter (pg_type.dat): arrays of bytea, json, int4, text, int8, timestamptz and uuid are encoded already,
 * and JSON is text. PGlite's own way with bytes took a third of an attestation.
 */
const serializers: Readonly<Record<number, (value: unknown) => string>> = Object.fromEntries([
  // It hands bytes on as they are, whatever its types say.
  ...[1001, 199, 1007, 1009, 1016, 1185, 2951].map((oid) => [oid, (value: unknown) => value]),
  [114, String],
])

function unopened(directory: string, cause: unknown): Problem {
  if (cause instanceof Problem) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new Problem(
    'configuration-invalid',
    `the database in ${directory} does not open: ${reason}`,
    { cause },
  )
}
