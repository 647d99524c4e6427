/**
 * A session's standing changes, with the end of its tokens, their leaves and events: all or nothing. The session's row comes
 * first, then its tokens, in the order that everybody keeps (sql-release-grounds.ts); events come last.
 */
import type { SessionChange, SessionRecord } from '../service/session-ports.ts'
import type { Revocation, TokenRecord } from '../service/token-ports.ts'
import { tokens } from './schema-tokens.ts'
import { arraysOf, type Column, unnest } from './sql-columns.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'
import { publish } from './sql-events.ts'
import { queueLeaves } from './sql-leaves.ts'
import { rowsFrom, selected } from './sql-selected.ts'
import { assigned, changedColumns } from './sql-session-rows.ts'
import { knownOf, recordOf, revokeLive } from './sql-tokens.ts'
import { revocationEvent, sessionEvent } from './store-events.ts'

export async function changeSession(
  engine: SqlEngine,
  { session: changed, delta, leaf, revocation, leafOf, by }: SessionChange,
): Promise<'changed' | 'superseded'> {
  return await engine.transaction(async (session) => {
    const rows = await session.rows({ text: changeText, values: arraysOf(columns, [changed]) })
    if (rows.length === 0) return 'superseded'
    if (delta)
      await session.rows({
        text: 'insert into session_deltas (session, seq, measurement) values ($1, $2, $3)',
        values: [changed.id, delta.seq, JSON.stringify(delta.measurement)],
      })
    const fallen = revocation ? await revokeOf(session, changed.id, revocation) : []
    await queueLeaves(session, [leaf, ...fallen.map(leafOf)])
    await publish(session, [
      ...(revocation ? fallen.map((token) => revocationEvent(token, revocation)) : []),
      sessionEvent(changed, by),
    ])
    return 'changed'
  })
}

const columns: readonly Column<SessionRecord>[] = [
  { name: 'id', type: 'text', of: ({ id }) => id },
  { name: 'revision', type: 'integer', of: ({ revision }) => revision },
  ...changedColumns,
]

const changeText = `
  update sessions set revision = sessions.revision + 1, ${assigned(changedColumns, 'given')}
  from ${unnest(columns, { alias: 'given', first: 1 })}
  where sessions.id = given.id and sessions.revision = given.revision
  returning sessions.id`

/** Whoever was issuing tokens held the session's row: this statement began after he was done, and sees them. */
async function revokeOf(
  session: SqlSession,
  id: string,
  revocation: Revocation,
): Promise<readonly TokenRecord[]> {
  const rows = await session.rows({
    text: `select ${selected(tokens, 'tokens')} from tokens
      where session = $1 and expires_at > $2 and revoked_at is null
      order by jti for update`,
    values: [id, revocation.at],
  })
  const live = rowsFrom(tokens, rows)
  const jtis = live.map(({ jti }) => jti)
  if (jtis.length === 0) return []
  const revoked = await revokeLive(session, jtis, revocation)
  return live.filter(({ jti }) => revoked.has(jti)).map((row) => recordOf(knownOf(row)))
}
