/**
 * A session's standing changes, with the end of its tokens, their leaves and events, and with it whatever becomes of the others of
 * its agent on its boot: all or nothing. The sessions' rows come first, by id, then the tokens of all of them, in the order that
 * everybody keeps (sql-release-grounds.ts); events come last.
 */
import type { OthersChange, SessionChange, SessionRecord } from '../service/session-ports.ts'
import type { Revocation, TokenRecord } from '../service/token-ports.ts'
import { sessions } from './schema-sessions.ts'
import { tokens } from './schema-tokens.ts'
import { takenAlong, takenRevocation } from './session-others.ts'
import { arraysOf, type Column, unnest } from './sql-columns.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'
import { publish } from './sql-events.ts'
import { queueLeaves } from './sql-leaves.ts'
import { rowsFrom, selected } from './sql-selected.ts'
import { assigned, changedColumns, sessionOf } from './sql-session-rows.ts'
import { knownOf, recordOf, revokeLive } from './sql-tokens.ts'
import { revocationEvent, sessionEvent } from './store-events.ts'

/**
 * Nothing limits how many sessions an agent opens on a boot. Without a limit here, whoever has enough of them could make his
 * quarantine too long for a transaction, and so have none.
 */
const MOST_OTHERS = 4_096

export async function changeSession(
  engine: SqlEngine,
  change: SessionChange,
): Promise<'changed' | 'superseded'> {
  const { session: first, others, changed } = change
  let taken = await engine.transaction((session) => changeFirst(session, change))
  if (!taken) return 'superseded'
  changed?.([{ ...first, revision: first.revision + 1 }, ...taken.along])
  while (others && taken.areMore) {
    taken = await engine.transaction((session) => changeRest(session, change, others))
    changed?.(taken.along)
  }
  return 'changed'
}

interface Taken {
  /** As they are from now on. */
  readonly along: readonly SessionRecord[]
  readonly areMore: boolean
}

/** Undefined, with nothing written, where the first is another by now. */
async function changeFirst(session: SqlSession, change: SessionChange): Promise<Taken | undefined> {
  const { session: first, delta, others } = change
  const held = others && (await holdAll(session, first, others))
  const rows = await session.rows({ text: changeText, values: arraysOf(columns, [first]) })
  if (rows.length === 0) return undefined
  if (delta)
    await session.rows({
      text: 'insert into session_deltas (session, seq, measurement) values ($1, $2, $3)',
      values: [first.id, delta.seq, JSON.stringify(delta.measurement)],
    })
  const along = others && held ? await takeAlong(session, held, { first, others }) : []
  await conclude(session, change, [first, ...along])
  return { along, areMore: held?.areMore ?? false }
}

async function changeRest(
  session: SqlSession,
  change: SessionChange,
  others: OthersChange,
): Promise<Taken> {
  const { session: first } = change
  const held = await holdAll(session, first, others)
  const along = await takeAlong(session, held, { first, others })
  await conclude(session, change, along)
  return { along, areMore: held.areMore }
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

interface Held {
  readonly others: readonly SessionRecord[]
  readonly areMore: boolean
}

/**
 * The first is held among them, in its place: of two sessions that take each other along, each would otherwise hold its own and
 * wait for the other's.
 */
async function holdAll(
  session: SqlSession,
  { id, tenant, environment, agent, boot }: SessionRecord,
  { from }: OthersChange,
): Promise<Held> {
  const rows = await session.rows({
    text: holdText,
    values: [id, { type: 'text', elements: from }, tenant, environment, agent, boot],
  })
  const held = rowsFrom(
    sessions,
    rows.map(({ areMore: _, ...row }) => row),
  ).map(sessionOf)
  return { others: held.filter((each) => each.id !== id), areMore: rows[0]?.areMore === true }
}

/** What a row says is read when it is held, and so is its standing: its agent, or another replica, may have changed it meanwhile. */
const holdText = `
  with wanted as materialized (
    (select id from sessions
      where id <> $1 and tenant = $3 and environment = $4 and agent = $5 and boot = $6
        and standing = any ($2::text[])
      order by id limit ${MOST_OTHERS})
    union all select $1::text
  )
  select ${selected(sessions, 'sessions')}, (select count(*) > ${MOST_OTHERS} from wanted) as "areMore"
  from wanted join sessions using (id)
  where sessions.id = $1 or sessions.standing = any ($2::text[])
  order by sessions.id for no key update of sessions`

async function takeAlong(
  session: SqlSession,
  held: Held,
  { first, others }: { readonly first: SessionRecord; readonly others: OthersChange },
): Promise<readonly SessionRecord[]> {
  const along = held.others.map((each) => takenAlong(each, first, others))
  if (along.length > 0)
    await session.rows({ text: takeText, values: arraysOf(takenColumns, along) })
  return along
}

/** What `takenAlong` changes; `demanded` is in `progress`. */
const takenNames: readonly string[] = ['standing', 'changed_at', 'because', 'progress']
const assignedNames = changedColumns.filter(({ name }) => takenNames.includes(name))
const takenColumns = [...columns.slice(0, 2), ...assignedNames]

const takeText = `
  update sessions set revision = given.revision, ${assigned(assignedNames, 'given')}
  from ${unnest(takenColumns, { alias: 'given', first: 1 })}
  where sessions.id = given.id`

/** Tokens, leaves and events. */
async function conclude(
  session: SqlSession,
  { session: first, leaf, revocation, leafOf, by, others }: SessionChange,
  changed: readonly SessionRecord[],
): Promise<void> {
  const fallen = revocation ? await revokeAll(session, changed, { first, revocation, others }) : []
  const leafOfSession = (each: SessionRecord) =>
    each.id === first.id || !others ? leaf : others.sessionLeafOf(each)
  await queueLeaves(session, [
    ...changed.map(leafOfSession),
    ...fallen.map(({ token }) => leafOf(token)),
  ])
  await publish(session, [
    ...fallen.map((each) => revocationEvent(each.token, each.revocation)),
    ...changed.map((each) => sessionEvent(each, by)),
  ])
}

interface Fallen {
  readonly token: TokenRecord
  readonly revocation: Revocation
}

/** Whoever was issuing tokens held the session's row: this statement began after he was done, and sees them. */
async function revokeAll(
  session: SqlSession,
  changed: readonly SessionRecord[],
  {
    first,
    revocation,
    others,
  }: Pick<SessionChange, 'others'> & {
    readonly first: SessionRecord
    readonly revocation: Revocation
  },
): Promise<readonly Fallen[]> {
  const rows = await session.rows({
    text: `select ${selected(tokens, 'tokens')} from tokens
      where session = any ($1::text[]) and expires_at > $2 and revoked_at is null
      order by jti for update`,
    values: [{ type: 'text', elements: changed.map(({ id }) => id) }, revocation.at],
  })
  const live = rowsFrom(tokens, rows)
  const own = live.filter((token) => token.session === first.id)
  const theirs = live.filter((token) => token.session !== first.id)
  return [
    ...(await revokeOf(session, own, revocation)),
    ...(others ? await revokeOf(session, theirs, takenRevocation(revocation, others)) : []),
  ]
}

async function revokeOf(
  session: SqlSession,
  live: readonly (typeof tokens.$inferSelect)[],
  revocation: Revocation,
): Promise<readonly Fallen[]> {
  if (live.length === 0) return []
  const jtis = live.map(({ jti }) => jti)
  const revoked = await revokeLive(session, jtis, revocation)
  return live
    .filter(({ jti }) => revoked.has(jti))
    .map((row) => ({ token: recordOf(knownOf(row)), revocation }))
}
