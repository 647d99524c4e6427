/** Rows of plain statements under the names, and with the types, that drizzle gives them. */
import { getTableColumns, type InferSelectModel } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import type { Row } from './sql-engine.ts'

/** `tokens.jti as "jti", tokens.issued_at as "issuedAt", …` */
export function selected(table: PgTable, name: string): string {
  return Object.entries(getTableColumns(table))
    .map(([as, column]) => `${name}.${column.name} as "${as}"`)
    .join(', ')
}

/** Of a statement that selected just that, from a table without bytea. */
export function rowsFrom<T extends PgTable>(_: T, rows: readonly Row[]): InferSelectModel<T>[] {
  // Both drivers parse by the type of the column, as drizzle does.
  return rows as InferSelectModel<T>[]
}
