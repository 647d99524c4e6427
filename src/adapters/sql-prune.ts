/** Deletes by age, some rows at a time: a backlog of a week must neither run into a timeout nor lock a table for long. */
import type { SqlSession } from './sql-engine.ts'

const ROWS_AT_ONCE = 10_000

/** `table` and `condition` are ours; $1 in `condition` is `before`. Resolves to how many went. */
export async function deleteOld(
  session: SqlSession,
  { table, condition }: { readonly table: string; readonly condition: string },
  before: Date,
): Promise<number> {
  const text = `
    with gone as (
      delete from ${table}
      where ctid = any (array(select ctid from ${table} where ${condition} limit ${ROWS_AT_ONCE}))
      returning 1
    )
    select count(*) as gone from gone`
  let total = 0
  for (;;) {
    const [row] = await session.rows({ text, values: [before] })
    const gone = Number(row?.gone)
    total += gone
    if (gone < ROWS_AT_ONCE) return total
  }
}
