/** Sessions that nobody goes on with are forgotten, with what they measured, some at a time. */
import type { SqlEngine } from './sql-engine.ts'
import { deleteOld } from './sql-prune.ts'

/** What one measured may be some hundred kilobytes. */
const SESSIONS_AT_ONCE = 500

/** The first condition is what the index finds; what it finds and the second spares are agents that run for long. */
const text = `
  with old as materialized (
    select id from sessions
    where opened_at < $1
      and (heard_at < $1 or (standing in ('revoked', 'closed') and changed_at < $1))
    limit ${SESSIONS_AT_ONCE} for update skip locked
  ),
  forgotten as (delete from session_deltas where session in (select id from old)),
  gone as (delete from sessions where id in (select id from old) returning 1)
  select count(*) as gone from gone`

/** And outages, and replicas, of then. Whoever holds a session's row just now keeps it until the next time. */
export async function pruneSessions(engine: SqlEngine, before: Date): Promise<number> {
  await deleteOld(engine, { table: 'outages', condition: 'until_at < $1' }, before)
  const silent = 'at < $1 and at < (select max(at) from service_alive)'
  await deleteOld(engine, { table: 'service_alive', condition: silent }, before)
  let total = 0
  for (;;) {
    const [row] = await engine.rows({ text, values: [before] })
    const gone = Number(row?.gone)
    total += gone
    if (gone < SESSIONS_AT_ONCE) return total
  }
}
