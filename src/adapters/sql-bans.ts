/** Who may have no session, on SQL. */
import { and, asc, eq } from 'drizzle-orm'
import type { Ban, SessionStore } from '../service/session-ports.ts'
import { bans } from './schema-sessions.ts'
import { answered } from './sql-answered.ts'
import type { SqlEngine } from './sql-engine.ts'
import { publish } from './sql-events.ts'
import { queueLeaves } from './sql-leaves.ts'
import { storable } from './storable-text.ts'
import { banEvent } from './store-events.ts'

export function sqlBans(engine: SqlEngine): Pick<SessionStore, 'ban' | 'liftBan' | 'bansOf'> {
  return {
    ban: (ban, leaf) =>
      answered(() =>
        engine.transaction(async (session) => {
          const { reason, by, at } = ban
          await session.rows({
            text: `insert into bans (tenant, platform, environment, agent, because, at)
              values ($1, $2, $3, $4, $5, $6)
              on conflict (tenant, platform, environment, agent)
              do update set because = excluded.because, at = excluded.at`,
            values: [...keyOf(ban), JSON.stringify({ reason, by }), at],
          })
          await queueLeaves(session, [leaf])
          await publish(session, [banEvent(ban, 'banned')])
        }),
      ),

    liftBan: (ban, leaf) =>
      answered(async () => {
        if (!storable(...keyOf(ban))) return false
        return await engine.transaction(async (session) => {
          const rows = await session.rows({
            text: `delete from bans
              where tenant = $1 and platform = $2 and environment = $3 and agent = $4 returning 1`,
            values: keyOf(ban),
          })
          if (rows.length === 0) return false
          await queueLeaves(session, [leaf])
          await publish(session, [banEvent(ban, 'lifted')])
          return true
        })
      }),

    bansOf: (tenant) =>
      answered(async () => {
        const rows = await engine.database
          .select()
          .from(bans)
          .where(and(eq(bans.tenant, tenant)))
          .orderBy(asc(bans.at), asc(bans.platform))
        return rows.map(({ because, environment, agent, ...ban }) => ({
          ...ban,
          ...because,
          environment: environment === EVERY ? undefined : environment,
          agent: agent === EVERY ? undefined : agent,
        }))
      }),
  }
}

/** No environment and no agent is called that. */
const EVERY = ''

function keyOf({
  tenant,
  platform,
  environment = EVERY,
  agent = EVERY,
}: Pick<Ban, 'tenant' | 'platform' | 'environment' | 'agent'>): readonly string[] {
  return [tenant, platform, environment, agent]
}
