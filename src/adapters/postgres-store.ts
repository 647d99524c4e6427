/**
 * The store on a PostgreSQL server: any number of replicas on one database. A database that is lost fails each request with
 * Problem('storage-unavailable') and nothing else; connections are made anew as soon as it is back.
 */
import { drizzle } from 'drizzle-orm/node-postgres'
import { Pool, type PoolClient } from 'pg'
import { Problem } from '../problems.ts'
import type { Store } from '../service/ports.ts'
import { applyMigrations, pendingMigrations } from './migrations.ts'
import { binaryArray } from './postgres-arrays.ts'
import { isSqlArray } from './sql-columns.ts'
import type { Row, SqlEngine, Statement } from './sql-engine.ts'
import { makePartitions } from './sql-partitions.ts'
import { sqlStore } from './sql-store.ts'

export interface PostgresTerms {
  /** What to do about migrations that the database lacks; `refuse` leaves them to `vouchsafe migrate`. */
  readonly migrations: 'apply' | 'refuse'
  /**
   * Two are enough for each of what is written many at once (attestations, releases, heartbeats), the others are for whatever
   * else is asked.
   */
  readonly connections?: number
}

const CONNECT_TIMEOUT_MS = 5_000
const STATEMENT_TIMEOUT_MS = 10_000
/** Measured: a third of the server's CPU for each attestation of a full load, for 3 ms that nobody waits who comes alone. */
const GATHER_MS = 3
/** A replica that freezes in a transaction holds locks that all others wait for: the server ends it after this. */
const IDLE_IN_TRANSACTION_MS = 8_000
/** Longer than the server's: this one is for a server that does not answer at all. */
const ANSWER_TIMEOUT_MS = 15_000
/** So that a failover is noticed by connections that never fail, because the old primary lives on as a standby. */
const CONNECTION_LIFETIME_SECONDS = 600

/** Throws Problem: 'storage-unavailable' when it does not answer, 'configuration-invalid' when its tables are not ours. */
export async function openPostgresStore(url: string, terms: PostgresTerms): Promise<Store> {
  const engine = openPostgresEngine(url, terms)
  try {
    await bringUpToDate(engine, terms)
    await makePartitions(engine)
    return sqlStore(engine)
  } catch (cause) {
    await engine.close()
    throw unopened(url, cause)
  }
}

async function bringUpToDate(engine: SqlEngine, { migrations }: PostgresTerms): Promise<void> {
  if (migrations === 'apply') {
    await applyMigrations(engine)
    return
  }
  const pending = await pendingMigrations(engine)
  if (pending.length > 0)
    throw new Problem(
      'configuration-invalid',
      `the database lacks ${pending.length} migration(s): ${pending.join(', ')}. Make a backup, then run \`vouchsafe migrate\``,
    )
}

/** For migrations and backups too. Asks nothing of the server yet. */
export function openPostgresEngine(
  url: string,
  { connections = 10 }: Pick<PostgresTerms, 'connections'> = {},
): SqlEngine {
  const pool = new Pool({
    connectionString: url,
    application_name: 'vouchsafe',
    max: connections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    maxLifetimeSeconds: CONNECTION_LIFETIME_SECONDS,
    // Whatever the server's default is: what leaves after a commit must be durable, and a row that was waited for is read
    // as it is by then.
    options: `-c synchronous_commit=on -c default_transaction_isolation=read\\ committed -c statement_timeout=${STATEMENT_TIMEOUT_MS} -c idle_in_transaction_session_timeout=${IDLE_IN_TRANSACTION_MS} -c jit=off -c TimeZone=UTC`,
  })
  // An idle connection that is cut: the pool has let go of it already, and the next query makes another.
  pool.on('error', () => {})
  return {
    database: drizzle(pool),
    rows: (statement) => rowsOf(pool, statement),
    async transaction(run) {
      const client = await pool.connect()
      // Cut while we hold it: the query that waits rejects as well, and nobody else listens.
      const ignore = () => {}
      client.on('error', ignore)
      let fault: Error | undefined
      try {
        await client.query('begin')
        const result = await run({ rows: (statement) => rowsOf(client, statement) })
        await client.query('commit')
        return result
      } catch (error) {
        fault = await rollback(client)
        throw error
      } finally {
        client.off('error', ignore)
        // A connection whose state nobody knows is closed, not reused.
        client.release(fault)
      }
    },
    concurrency: 2,
    gatherMs: GATHER_MS,
    async close() {
      if (!pool.ended) await pool.end()
    },
  }
}

async function rollback(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('rollback')
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

async function rowsOf(
  client: Pick<Pool | PoolClient, 'query'>,
  { name, text, values = [], timeoutMs }: Statement,
): Promise<readonly Row[]> {
  const { rows } = await client.query<Row>({
    text,
    ...(name !== undefined && { name }),
    // Of the driver's; @types/pg does not know that a query may have its own.
    ...(timeoutMs !== undefined && { query_timeout: timeoutMs }),
    values: values.map((value) => (isSqlArray(value) ? binaryArray(value) : value)),
  })
  return rows
}

/** Names the server, never the password. */
function unopened(url: string, cause: unknown): Problem {
  if (cause instanceof Problem) return cause
  const reason = cause instanceof Error ? cause.message || cause.name : String(cause)
  return new Problem(
    'storage-unavailable',
    `the PostgreSQL at ${placeOf(url)} does not answer: ${reason}`,
    { cause, retryAfterSeconds: 5 },
  )
}

function placeOf(url: string): string {
  try {
    const { host, pathname } = new URL(url)
    return `${host}${pathname}`
  } catch {
    return 'the configured URL'
  }
}
