/** Which tables does a backup hold, and what are their columns? Asked of the database itself, so that no table is forgotten. */
import type { SqlSession } from './sql-engine.ts'

export interface BackedUpTable {
  readonly name: string
  readonly columns: readonly BackedUpColumn[]
}

export interface BackedUpColumn {
  readonly name: string
  /** As SQL writes it: `timestamp(3) with time zone`. */
  readonly type: string
  /** Whether the database numbers it. */
  readonly isIdentity: boolean
}

/** In alphabetical order; partitions belong to their parent. None in an empty database. */
export async function tablesIn(session: SqlSession): Promise<readonly BackedUpTable[]> {
  const rows = await session.rows({
    text: `select relname as table, attname as column,
        format_type(atttypid, atttypmod) as type, attidentity <> '' as identity
      from pg_class join pg_attribute on attrelid = pg_class.oid
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
        and attnum > 0 and not attisdropped
      order by relname, attnum`,
  })
  const tables = Map.groupBy(rows, ({ table }) => String(table))
  return [...tables].map(([name, columns]) => ({
    name,
    columns: columns.map(({ column, type, identity }) => ({
      name: String(column),
      type: String(type),
      isIdentity: identity === true,
    })),
  }))
}

/** Of a name that the catalogue gave, or that was compared with one. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
