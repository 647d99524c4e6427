/**
 * Tokens of a session that is open: many in one statement. The session's row is held until the commit, so that whoever takes
 * its tokens away comes before, and then there are none, or after, and then he finds these.
 *
 * Not `for share`: sql-release-grounds.ts says why.
 */
import type { PendingLeaf } from '../service/log-ports.ts'
import type { SessionStore } from '../service/session-ports.ts'
import type { TokenRecord } from '../service/token-ports.ts'
import { answered } from './sql-answered.ts'
import { arraysOf, type Column, unnest } from './sql-columns.ts'
import type { SqlEngine } from './sql-engine.ts'
import { groupCommit } from './sql-group-commit.ts'
import { leafColumns, nextBody, queueFrom } from './sql-leaves.ts'
import { tokenColumns, tokenNames } from './sql-record-attestations.ts'
import { storable } from './storable-text.ts'

const MOST_IN_A_BATCH = 64
const MOST_WAITING = 10_000

type Issued = Parameters<SessionStore['recordSessionTokens']>[0]
type Outcome = 'recorded' | 'session-over'

export function sessionTokenRecorder(engine: SqlEngine): SessionStore['recordSessionTokens'] {
  const commit = groupCommit<Issued, Outcome>({
    most: MOST_IN_A_BATCH,
    inFlight: engine.concurrency,
    gatherMs: engine.gatherMs,
    mostWaiting: MOST_WAITING,
    write: (batch) => write(engine, batch),
  })
  return (issued) =>
    answered(async () => (storable(issued.session) ? await commit(issued) : 'session-over'))
}

async function write(engine: SqlEngine, batch: readonly Issued[]): Promise<readonly Outcome[]> {
  const askers = batch.map(({ session, leaf }, place): Asker => ({ session, leaf, place }))
  const tokens = batch.flatMap((issued, place) =>
    issued.tokens.map((token): PlacedToken => ({ place, token })),
  )
  const rows = await engine.rows({
    name: 'record-session-tokens',
    text,
    values: [...arraysOf(askerColumns, askers), ...arraysOf(placedColumns, tokens)],
  })
  const recorded = new Set(rows.map(({ place }) => Number(place)))
  return batch.map((_, place) => (recorded.has(place) ? 'recorded' : 'session-over'))
}

interface Asker {
  readonly place: number
  readonly session: string
  readonly leaf: PendingLeaf
}

interface PlacedToken {
  readonly place: number
  readonly token: TokenRecord
}

const askerColumns: readonly Column<Asker>[] = [
  { name: 'place', type: 'integer', of: ({ place }) => place },
  { name: 'session_id', type: 'text', of: ({ session }) => session },
  ...leafColumns.map(
    ({ name, type, of }): Column<Asker> => ({ name, type, of: ({ leaf }) => of(leaf) }),
  ),
]

const placedColumns: readonly Column<PlacedToken>[] = [
  { name: 'place', type: 'integer', of: ({ place }) => place },
  ...tokenColumns.map(
    ({ name, type, of }): Column<PlacedToken> => ({ name, type, of: ({ token }) => of(token) }),
  ),
]

const text = `
  with given as materialized (
    select * from ${unnest(askerColumns, { alias: 'given', first: 1 })}
  ),
  held as materialized (
    select id from sessions
    where id in (select session_id from given) and standing = 'open'
    order by id for no key update
  ),
  winners as materialized (
    select ${nextBody} as leaf, given.* from given join held on held.id = given.session_id
  ),
  kept_tokens as (
    insert into tokens (${tokenNames})
    select ${tokenNames}
    from ${unnest(placedColumns, { alias: 'issued', first: askerColumns.length + 1 })}
    where place in (select place from winners)
  ),
  ${queueFrom('winners')}
  select place from winners`
