/**
 * Sessions that open, or go on with a new quote: some in one transaction, with everything that their attestations leave
 * behind. Who loses, by the session's id, its revision or the challenge, leaves nothing.
 *
 * Sessions are locked before challenges, by everybody, and both in one order.
 */
import type { RecordedAttestation } from '../service/ports.ts'
import type { SessionDelta, SessionRecord, SessionStore } from '../service/session-ports.ts'
import { answered } from './sql-answered.ts'
import { arraysOf, type Column, unnest } from './sql-columns.ts'
import type { RecentContents } from './sql-contents.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'
import { publish } from './sql-events.ts'
import { groupCommit } from './sql-group-commit.ts'
import {
  attestationsGatherMs,
  type PreparedAttestation,
  prepareAttestation,
  writeAttestations,
} from './sql-record-attestations.ts'
import { assigned, changedColumns, deltaColumns, openedColumns } from './sql-session-rows.ts'
import { sessionEvent } from './store-events.ts'

const MOST_IN_A_BATCH = 32
const MOST_WAITING = 5_000

interface Quoted {
  readonly attestation: PreparedAttestation
  readonly session: SessionRecord
  readonly delta: SessionDelta | undefined
}

type Lost = 'session-exists' | 'superseded'
type Outcome<L extends Lost> = 'recorded' | 'challenge-used' | L

export function sessionQuoter(
  engine: SqlEngine,
  recent: RecentContents,
): Pick<SessionStore, 'openSession' | 'renewSession'> {
  const open = committer(engine, recent, opening)
  const renew = committer(engine, recent, renewing)
  return {
    openSession: (attestation, session, delta) => open({ attestation, session, delta }),
    renewSession: (attestation, step) => renew({ attestation, ...step }),
  }
}

/** How a session is won, and what becomes of it by the challenge. */
interface Manner<L extends Lost> {
  readonly lost: L
  /** Holds the rows, and resolves to the sessions that are won, with their standing before. */
  readonly win: (
    session: SqlSession,
    asked: readonly Quoted[],
  ) => Promise<ReadonlyMap<string, unknown>>
  readonly keep: (session: SqlSession, kept: readonly Quoted[]) => Promise<void>
  /** Of those that were won: their challenges were used. */
  readonly giveUp: (session: SqlSession, ids: readonly string[]) => Promise<void>
}

function committer<L extends Lost>(engine: SqlEngine, recent: RecentContents, manner: Manner<L>) {
  const commit = groupCommit<Quoted, Outcome<L>>({
    most: MOST_IN_A_BATCH,
    inFlight: engine.concurrency,
    gatherMs: attestationsGatherMs(engine),
    mostWaiting: MOST_WAITING,
    write: (batch) => write(engine, { recent, manner }, batch),
  })
  return ({
    attestation,
    ...rest
  }: Omit<Quoted, 'attestation'> & { readonly attestation: RecordedAttestation }) =>
    answered(async () => await commit({ ...rest, attestation: prepareAttestation(attestation) }))
}

async function write<L extends Lost>(
  engine: SqlEngine,
  terms: { readonly recent: RecentContents; readonly manner: Manner<L> },
  batch: readonly Quoted[],
): Promise<readonly Outcome<L>[]> {
  const firsts = firstOfEachSession(batch)
  const asked = [...firsts.values()]
  const { outcomes, remember } = await engine.transaction((session) =>
    writeOnce(session, terms, asked),
  )
  remember()
  // Whoever asked for the same session in the same moment comes after.
  const others = batch.filter((each) => firsts.get(each.session.id) !== each)
  const later = others.length > 0 ? await write(engine, terms, others) : []
  return batch.map((each) => {
    const outcome = outcomes.get(each) ?? later[others.indexOf(each)]
    if (outcome === undefined) throw new Error('a session of a batch has no outcome')
    return outcome
  })
}

async function writeOnce<L extends Lost>(
  session: SqlSession,
  { recent, manner }: { readonly recent: RecentContents; readonly manner: Manner<L> },
  asked: readonly Quoted[],
) {
  const { lost, win, keep, giveUp } = manner
  const won = await win(session, asked)
  const holders = asked.filter((each) => won.has(each.session.id))
  const written = await writeAttestations(
    session,
    recent,
    holders.map(({ attestation }) => attestation),
  )
  const isKept = (_: Quoted, n: number) => written.outcomes[n] === 'recorded'
  const kept = holders.filter(isKept)
  const losers = holders.filter((each, n) => !isKept(each, n))
  if (losers.length > 0)
    await giveUp(
      session,
      losers.map((each) => each.session.id),
    )
  if (kept.length > 0) await keep(session, kept)
  await publish(
    session,
    kept
      .filter((each) => won.get(each.session.id) !== each.session.standing)
      .map((each) => sessionEvent(each.session, each.session.by)),
  )
  const outcomes = new Map<Quoted, Outcome<L>>(asked.map((each) => [each, lost]))
  holders.forEach((each, n) => {
    outcomes.set(each, written.outcomes[n] ?? 'challenge-used')
  })
  return { outcomes, remember: written.remember }
}

function firstOfEachSession(batch: readonly Quoted[]): ReadonlyMap<string, Quoted> {
  const firsts = new Map<string, Quoted>()
  for (const each of batch) if (!firsts.has(each.session.id)) firsts.set(each.session.id, each)
  return firsts
}

const quotedColumns: readonly Column<Quoted>[] = [
  { name: 'id', type: 'text', of: ({ session }) => session.id },
  { name: 'revision', type: 'integer', of: ({ session }) => session.revision },
  ...[...openedColumns, ...changedColumns].map(
    ({ name, type, of }): Column<Quoted> => ({ name, type, of: ({ session }) => of(session) }),
  ),
]
const quotedNames = quotedColumns.map(({ name }) => name).join(', ')

const keptDeltas: readonly Column<Quoted>[] = [
  { name: 'session', type: 'text', of: ({ session }) => session.id },
  ...deltaColumns.map(
    ({ name, type, of }): Column<Quoted> => ({ name, type, of: ({ delta }) => of(delta) }),
  ),
]

async function keepDeltas(session: SqlSession, kept: readonly Quoted[]): Promise<void> {
  const measured = kept.filter(({ delta }) => delta !== undefined)
  if (measured.length === 0) return
  await session.rows({
    text: `insert into session_deltas (session, seq, measurement)
      select * from ${unnest(keptDeltas, { alias: 'given', first: 1 })}`,
    values: arraysOf(keptDeltas, measured),
  })
}

const opening: Manner<'session-exists'> = {
  lost: 'session-exists',
  // Inserted in one order: whoever inserts the same waits for the other's end.
  async win(session, asked) {
    const rows = await session.rows({
      text: `insert into sessions (${quotedNames})
        select ${quotedNames} from ${unnest(quotedColumns, { alias: 'given', first: 1 })} order by id
        on conflict (id) do nothing returning id, standing`,
      values: arraysOf(quotedColumns, asked),
    })
    return new Map(rows.map(({ id, standing }) => [String(id), standing]))
  },
  keep: keepDeltas,
  async giveUp(session, ids) {
    await session.rows({
      text: 'delete from sessions where id = any ($1::text[])',
      values: [{ type: 'text', elements: ids }],
    })
  },
}

const revisionColumns = quotedColumns.slice(0, 2)
const renewedColumns: readonly Column<Quoted>[] = quotedColumns.filter(
  ({ name }) => !openedColumns.some((opened) => opened.name === name),
)

const renewing: Manner<'superseded'> = {
  lost: 'superseded',
  async win(session, asked) {
    const rows = await session.rows({
      text: `select sessions.id, sessions.standing
        from ${unnest(revisionColumns, { alias: 'given', first: 1 })} join sessions using (id)
        where sessions.revision = given.revision
        order by sessions.id for no key update of sessions`,
      values: arraysOf(revisionColumns, asked),
    })
    return new Map(rows.map(({ id, standing }) => [String(id), standing]))
  },
  async keep(session, kept) {
    await session.rows({
      text: `update sessions
        set revision = sessions.revision + 1, ${assigned(changedColumns, 'given')}
        from ${unnest(renewedColumns, { alias: 'given', first: 1 })}
        where sessions.id = given.id`,
      values: arraysOf(renewedColumns, kept),
    })
    await keepDeltas(session, kept)
  },
  giveUp: async () => {},
}
