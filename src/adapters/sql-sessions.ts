/** Sessions and what they measured, on SQL. */
import { and, asc, eq, gt } from 'drizzle-orm'
import type { SessionRecord, SessionStore, Standing } from '../service/session-ports.ts'
import { sessionDeltas, sessions } from './schema-sessions.ts'
import { sessionAdvancer } from './sql-advance-sessions.ts'
import { answered } from './sql-answered.ts'
import { sqlBans } from './sql-bans.ts'
import { changeSession } from './sql-change-session.ts'
import type { RecentContents } from './sql-contents.ts'
import type { SqlEngine } from './sql-engine.ts'
import { gather } from './sql-gather.ts'
import { sqlOutages } from './sql-outages.ts'
import { pruneSessions } from './sql-prune-sessions.ts'
import { sessionQuoter } from './sql-quoted-sessions.ts'
import { rowsFrom, selected } from './sql-selected.ts'
import { deltaOf, sessionOf } from './sql-session-rows.ts'
import { sessionTokenRecorder } from './sql-session-tokens.ts'
import { sqlWebhooks } from './sql-webhooks.ts'
import { storable } from './storable-text.ts'

const MOST_AT_ONCE = 256
/** As for heartbeats: each begins with a look. */
const MOST_WAITING = 20_000

export function sqlSessions(engine: SqlEngine, recent: RecentContents): SessionStore {
  const { database } = engine
  const find = gather(engine, {
    most: MOST_AT_ONCE,
    mostWaiting: MOST_WAITING,
    read: (ids) => read(engine, ids),
  })
  return {
    ...sessionQuoter(engine, recent),
    ...sqlBans(engine),
    ...sqlOutages(engine),
    ...sqlWebhooks(engine),
    findSession: async (id) => (storable(id) ? await find(id) : undefined),
    advanceSession: sessionAdvancer(engine),
    recordSessionTokens: sessionTokenRecorder(engine),
    changeSession: (change) => answered(() => changeSession(engine, change)),

    sessionsOf: (tenant, { limit, environment, agent, standing, after }) =>
      answered(async () => {
        if (!storable(tenant, environment ?? '', agent ?? '', after ?? '')) return []
        const rows = await database
          .select()
          .from(sessions)
          .where(
            and(
              eq(sessions.tenant, tenant),
              environment === undefined ? undefined : eq(sessions.environment, environment),
              agent === undefined ? undefined : eq(sessions.agent, agent),
              standing === undefined ? undefined : eq(sessions.standing, standing),
              after === undefined ? undefined : gt(sessions.id, after),
            ),
          )
          .orderBy(asc(sessions.id))
          .limit(limit)
        return rows.map(sessionOf)
      }),

    deltasOf: (session) =>
      answered(async () => {
        if (!storable(session)) return []
        const rows = await database
          .select()
          .from(sessionDeltas)
          .where(eq(sessionDeltas.session, session))
          .orderBy(asc(sessionDeltas.seq))
        return rows.map(deltaOf)
      }),

    quarantinedSession: ({ tenant, environment, agent, boot }) =>
      answered(async () => {
        const rows = await engine.rows({
          name: 'quarantined-session',
          text: quarantinedText,
          values: [tenant, environment, agent, boot],
        })
        return rowsFrom(sessions, rows).map(sessionOf)[0]
      }),

    countSessions: (tenant, since) => answered(() => count(engine, tenant, since)),
    pruneSessions: (before) => answered(() => pruneSessions(engine, before)),
  }
}

const quarantinedText = `
  select ${selected(sessions, 'sessions')} from sessions
  where tenant = $1 and environment = $2 and agent = $3 and boot = $4
    and standing = 'quarantined'
  order by id limit 1`

const findText = `
  select ${selected(sessions, 'sessions')} from sessions where id = any ($1::text[])`

async function read(
  engine: SqlEngine,
  ids: readonly string[],
): Promise<ReadonlyMap<string, SessionRecord>> {
  const rows = await engine.rows({
    name: 'find-sessions',
    text: findText,
    values: [{ type: 'text', elements: ids }],
  })
  return new Map(rowsFrom(sessions, rows).map((row) => [row.id, sessionOf(row)]))
}

/** Of those that are over only the index is read, however many are still kept. */
async function count(
  engine: SqlEngine,
  tenant: string,
  since: Date,
): ReturnType<SessionStore['countSessions']> {
  const rows = await engine.rows({
    text: `select standing, count(*) as count, null as heard from sessions
        where tenant = $1 and standing <> 'open' group by standing
      union all
      select 'open', count(*), count(*) filter (where heard_at >= $2) from sessions
        where tenant = $1 and standing = 'open'`,
    values: [tenant, since],
  })
  const of = (standing: Standing) => rows.find((row) => row.standing === standing)
  const at = (standing: Standing) => Number(of(standing)?.count ?? 0)
  return {
    standings: {
      open: at('open'),
      suspended: at('suspended'),
      quarantined: at('quarantined'),
      revoked: at('revoked'),
      closed: at('closed'),
    },
    heard: Number(of('open')?.heard ?? 0),
  }
}
