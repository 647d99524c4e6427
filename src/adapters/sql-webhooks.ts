/** How far each webhook has been told, and who tells it, on SQL. */
import type { SessionStore } from '../service/session-ports.ts'
import { answered } from './sql-answered.ts'
import type { SqlEngine } from './sql-engine.ts'

export function sqlWebhooks(
  engine: SqlEngine,
): Pick<SessionStore, 'claimWebhook' | 'advanceWebhook'> {
  return {
    claimWebhook: (name, { holder, at, until }) =>
      answered(async () => {
        const [row] = await engine.rows({
          text: `insert into webhook_cursors as kept (name, sequence, holder, held_until)
            values ($1, 0, $2, $4)
            on conflict (name) do update
              set holder = excluded.holder, held_until = excluded.held_until
              where kept.holder = excluded.holder or kept.held_until <= $3
            returning sequence`,
          values: [name, holder, at, until],
        })
        return row && Number(row.sequence)
      }),

    // Never back: what was told once is not told again for a message that came late.
    advanceWebhook: (name, { holder, sequence }) =>
      answered(async () => {
        const rows = await engine.rows({
          text: `update webhook_cursors set sequence = greatest(sequence, $3)
            where name = $1 and holder = $2 returning 1`,
          values: [name, holder, sequence],
        })
        return rows.length === 1
      }),
  }
}
