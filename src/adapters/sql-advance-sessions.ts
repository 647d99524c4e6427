/**
 * The hot path of sessions: heartbeats, many in one statement. Who names the revision that the row has wins; whoever else
 * names it comes too late.
 */
import type { SessionStep, SessionStore } from '../service/session-ports.ts'
import { answered } from './sql-answered.ts'
import { arraysOf, type Column, unnest } from './sql-columns.ts'
import type { SqlEngine } from './sql-engine.ts'
import { groupCommit } from './sql-group-commit.ts'
import { assigned, deltaColumns, progressColumns } from './sql-session-rows.ts'

const MOST_IN_A_BATCH = 256
/** Some seconds of work. */
const MOST_WAITING = 20_000

type Outcome = 'advanced' | 'superseded'

export function sessionAdvancer(engine: SqlEngine): SessionStore['advanceSession'] {
  const commit = groupCommit<SessionStep, Outcome>({
    most: MOST_IN_A_BATCH,
    inFlight: engine.concurrency,
    // Heartbeats come evenly, one by one: without this each would have a commit of its own.
    gatherMs: engine.gatherMs,
    mostWaiting: MOST_WAITING,
    write: (batch) => write(engine, batch),
  })
  return (step) => answered(() => commit(step))
}

async function write(
  engine: SqlEngine,
  batch: readonly SessionStep[],
): Promise<readonly Outcome[]> {
  const firsts = new Map<string, Placed>()
  batch.forEach((step, place) => {
    const { id, revision } = step.session
    const key = `${revision} ${id}`
    if (!firsts.has(key)) firsts.set(key, { step, place })
  })
  const rows = await engine.rows({
    name: 'advance-sessions',
    text,
    values: arraysOf(columns, [...firsts.values()]),
  })
  const advanced = new Set(rows.map(({ place }) => Number(place)))
  return batch.map((_, place) => (advanced.has(place) ? 'advanced' : 'superseded'))
}

interface Placed {
  readonly step: SessionStep
  readonly place: number
}

const columns: readonly Column<Placed>[] = [
  { name: 'place', type: 'integer', of: ({ place }) => place },
  { name: 'id', type: 'text', of: ({ step }) => step.session.id },
  { name: 'revision', type: 'integer', of: ({ step }) => step.session.revision },
  ...progressColumns.map(
    ({ name, type, of }): Column<Placed> => ({
      name,
      type,
      of: ({ step }) => of(step.session),
    }),
  ),
  ...deltaColumns.map(
    ({ name, type, of }): Column<Placed> => ({ name, type, of: ({ step }) => of(step.delta) }),
  ),
]

/** Locked in one order by everybody: batches of two replicas, or of one, may hold the same sessions. */
const text = `
  with given as materialized (
    select * from ${unnest(columns, { alias: 'given', first: 1 })}
  ),
  held as materialized (
    select sessions.id, given.place from given join sessions using (id)
    where sessions.revision = given.revision
    order by sessions.id for no key update of sessions
  ),
  advanced as (
    update sessions set revision = sessions.revision + 1, ${assigned(progressColumns, 'given')}
    from held join given using (place)
    where sessions.id = held.id and sessions.revision = given.revision
    returning given.place
  ),
  kept as (
    insert into session_deltas (session, seq, measurement)
    select id, delta_seq, delta from given
    where delta is not null and place in (select place from advanced)
  )
  select place from advanced`
