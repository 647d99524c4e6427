/** One turn of the sequencer, in one transaction: what waits is read, numbered by the caller, and written in bulk. */
import type {
  LeafKind,
  LogBatch,
  LogHead,
  LogStore,
  LogTransaction,
  WaitingLeaf,
} from '../service/log-ports.ts'
import { refuseGap } from './log-continuity.ts'
import { arraysOf, bytesOf, type Column, unnest } from './sql-columns.ts'
import type { Row, SqlEngine, SqlSession } from './sql-engine.ts'
import { locks, tryLock } from './sql-locks.ts'

export async function sequence(
  engine: SqlEngine,
  limit: number,
  make: (transaction: LogTransaction) => Promise<LogBatch | undefined>,
): ReturnType<LogStore['sequenceLog']> {
  return await engine.transaction(async (session) => {
    if (!(await tryLock(session, locks.log))) return 'busy'
    const head = await headOf(session)
    const waiting = await waitingIn(session, limit)
    if (waiting.length === 0 && head) return 'nothing'
    const tile = async (level: number, index: number) => await tileOf(session, level, index)
    const batch = await make({ head, waiting, tile })
    if (!batch) return 'nothing'
    refuseGap(head, batch)
    await keep(session, batch)
    return 'sequenced'
  })
}

async function headOf(session: SqlSession): Promise<LogHead | undefined> {
  const [row] = await session.rows({ text: 'select size, root, checkpoint, at from log_head' })
  if (!row) return undefined
  const { size, root, checkpoint, at } = row
  if (!(at instanceof Date)) throw new TypeError('the head of the log has no time')
  return { size: Number(size), root: bytesOf(root), checkpoint: String(checkpoint), at }
}

/** Each body by itself, which the limit makes sure of: while nobody has counted a young table, it would be read whole. */
async function waitingIn(session: SqlSession, limit: number): Promise<readonly WaitingLeaf[]> {
  const rows = await session.rows({
    text: `select id, kind, entry, leaf_hash
      from (select id, leaf_hash from log_waiting order by id limit $1) as oldest
      join lateral (select kind, entry from log_bodies where log_bodies.id = oldest.id limit 1)
        as body on true
      order by id`,
    values: [limit],
  })
  return rows.map(
    (row: Row): WaitingLeaf => ({
      id: Number(row.id),
      // The column holds what PendingLeaf says.
      kind: row.kind as Exclude<LeafKind, 'denials'>,
      entry: bytesOf(row.entry),
      leafHash: bytesOf(row.leaf_hash),
    }),
  )
}

async function tileOf(
  session: SqlSession,
  level: number,
  index: number,
): Promise<Uint8Array | undefined> {
  const [row] = await session.rows({
    text: 'select hashes from log_tiles where level = $1 and index = $2',
    values: [level, index],
  })
  return row && bytesOf(row.hashes)
}

const entryColumns: readonly Column<LogBatch['entries'][number]>[] = [
  { name: 'index', type: 'bigint', of: ({ index }) => index },
  { name: 'kind', type: 'text', of: ({ kind }) => kind },
  { name: 'entry', type: 'bytea', of: ({ entry }) => entry },
  { name: 'leaf_hash', type: 'bytea', of: ({ leafHash }) => leafHash },
]
const denialColumns: readonly Column<LogBatch['denials'][number]>[] = [
  { name: 'index', type: 'bigint', of: ({ index }) => index },
  { name: 'position', type: 'integer', of: ({ position }) => position },
  { name: 'leaf_hash', type: 'bytea', of: ({ leafHash }) => leafHash },
]
const tileColumns: readonly Column<LogBatch['tiles'][number]>[] = [
  { name: 'level', type: 'integer', of: ({ level }) => level },
  { name: 'index', type: 'bigint', of: ({ index }) => index },
  { name: 'hashes', type: 'bytea', of: ({ hashes }) => hashes },
]

const afterHead = 5
const afterTaken = afterHead + 1
const afterEntries = afterTaken + entryColumns.length
const afterDenials = afterEntries + denialColumns.length

const keepText = `
  with taken as (
    delete from log_waiting using unnest($${afterHead}::bigint[]) as gone(id)
    where log_waiting.id = gone.id
    returning log_waiting.leaf_hash, log_waiting.id
  ),
  kept_entries as (
    insert into log_entries (index, kind, entry, leaf_hash, body)
    select given.index, given.kind, given.entry, given.leaf_hash, taken.id
    from ${unnest(entryColumns, { alias: 'given', first: afterTaken })}
    left join taken using (leaf_hash)
  ),
  kept_denials as (
    insert into log_denials (index, position, leaf_hash, body)
    select given.index, given.position, given.leaf_hash, taken.id
    from ${unnest(denialColumns, { alias: 'given', first: afterEntries })}
    left join taken using (leaf_hash)
  ),
  kept_tiles as (
    insert into log_tiles (level, index, hashes)
    select level, index, hashes from ${unnest(tileColumns, { alias: 'given', first: afterDenials })}
    on conflict (level, index) do update set hashes = excluded.hashes
  ),
  kept_head as (
    insert into log_head (id, size, root, checkpoint, at) values (1, $1, $2, $3, $4)
    on conflict (id) do update set
      size = excluded.size, root = excluded.root,
      checkpoint = excluded.checkpoint, at = excluded.at
  )
  select count(*) as taken from taken`

async function keep(
  session: SqlSession,
  { head, entries, denials, tiles, taken }: LogBatch,
): Promise<void> {
  const [row] = await session.rows({
    text: keepText,
    values: [
      head.size,
      head.root,
      head.checkpoint,
      head.at,
      { type: 'bigint', elements: taken },
      ...arraysOf(entryColumns, entries),
      ...arraysOf(denialColumns, denials),
      ...arraysOf(tileColumns, tiles),
    ],
  })
  if (Number(row?.taken) !== taken.length)
    throw new Error(`${taken.length} leaves were taken and ${row?.taken} of them waited`)
}
