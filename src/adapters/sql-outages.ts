/** When no replica answered, on SQL: each says that it does, and who comes after a long silence writes it down. */
import { asc, gt } from 'drizzle-orm'
import type { SessionStore } from '../service/session-ports.ts'
import { outages } from './schema-sessions.ts'
import { answered } from './sql-answered.ts'
import type { SqlEngine } from './sql-engine.ts'
import { locks, waitForLock } from './sql-locks.ts'

export function sqlOutages(engine: SqlEngine): Pick<SessionStore, 'serviceAlive'> {
  return {
    serviceAlive: (replica, at, { gapMs, since }) =>
      answered(async () => {
        await engine.transaction(async (session) => {
          // The statement below sees what was committed before it began: so the others are done by then.
          await waitForLock(session, locks.alive)
          await session.rows({
            text: aliveText,
            values: [replica, at, new Date(at.getTime() - gapMs)],
          })
        })
        const rows = await engine.database
          .select()
          .from(outages)
          .where(gt(outages.until, since))
          .orderBy(asc(outages.from))
        return rows
      }),
  }
}

/** A replica whose clock was set back does not take back that it was alive. */
const aliveText = `
  with noticed as (
    insert into outages (from_at, until_at)
    select last, $2::timestamptz from (select max(at) as last from service_alive) as known
    where last < $3::timestamptz
    on conflict (from_at) do nothing
  )
  insert into service_alive (replica, at) values ($1::text, $2::timestamptz)
  on conflict (replica) do update set at = greatest(service_alive.at, excluded.at)`
