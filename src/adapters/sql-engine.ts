/** What the SQL stores need of PGlite or PostgreSQL: drizzle for single rows, plain statements for many at once. */
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type { SqlArray } from './sql-columns.ts'

export type Database = PgDatabase<PgQueryResultHKT>

export interface Statement {
  /** Prepared once for each connection under this name; without one it is planned at every use. */
  readonly name?: string
  readonly text: string
  readonly values?: readonly (SqlArray | SqlScalar)[]
  /** Of work that may take long: without it an answer is waited for as long as for any other. */
  readonly timeoutMs?: number
}
export type SqlScalar = string | number | boolean | Date | Uint8Array | null | undefined

/** Columns by name: bytea as Uint8Array, timestamptz as Date, bigint as a number or the digits of one. */
export type Row = Readonly<Record<string, unknown>>

export interface SqlSession {
  readonly rows: (statement: Statement) => Promise<readonly Row[]>
}

export interface SqlEngine extends SqlSession {
  readonly database: Database
  /** Commits when `run` resolves; rolls back and rejects with its error when it rejects. */
  readonly transaction: <T>(run: (session: SqlSession) => Promise<T>) => Promise<T>
  /** How many transactions are worth running at the same time. */
  readonly concurrency: number
  /** For how long a group commit waits for others, where there are some (sql-group-commit.ts). Milliseconds. */
  readonly gatherMs: number
  readonly close: () => Promise<void>
}
