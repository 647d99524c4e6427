/** The transparency log, on SQL: one replica at a time numbers what waits, and writes a whole batch in one statement. */
import { and, asc, eq, gte } from 'drizzle-orm'
import type { LeafKind, LeafPlace, LogStore } from '../service/log-ports.ts'
import { logDenials, logEntries, logHead, logTiles } from './schema-log.ts'
import { answered } from './sql-answered.ts'
import { bytesOf } from './sql-columns.ts'
import type { Database, Row, SqlEngine } from './sql-engine.ts'
import { sequence } from './sql-log-sequence.ts'

export function sqlLog(engine: SqlEngine): LogStore {
  const { database } = engine
  return {
    sequenceLog: (limit, make) => answered(() => sequence(engine, limit, make)),

    logHead: () => answered(() => headOf(database)),

    countWaitingLeaves: () =>
      answered(async () => {
        const [row] = await engine.rows({ name: 'count-waiting-leaves', text: countText })
        return Number(row?.count ?? 0)
      }),

    logTile: (level, index) =>
      answered(async () => {
        const [row] = await database
          .select({ hashes: logTiles.hashes })
          .from(logTiles)
          .where(and(eq(logTiles.level, level), eq(logTiles.index, index)))
        return row?.hashes
      }),

    logEntries: (first, count) =>
      answered(async () => {
        const rows = await database
          .select({ entry: logEntries.entry })
          .from(logEntries)
          .where(gte(logEntries.index, first))
          .orderBy(asc(logEntries.index))
          .limit(count)
        return rows.map(({ entry }) => entry)
      }),

    leafPlace: (leafHash) =>
      answered(async () => {
        const [row] = await engine.rows({ name: 'leaf-place', text: placeText, values: [leafHash] })
        return row && placeOf(row)
      }),

    denialBatch: (index) =>
      answered(async () => {
        const rows = await database
          .select({ leafHash: logDenials.leafHash })
          .from(logDenials)
          .where(eq(logDenials.index, index))
          .orderBy(asc(logDenials.position))
        return rows.map(({ leafHash }) => leafHash)
      }),

    oldestDenials: (limit) =>
      answered(async () => {
        const rows = await engine.rows({
          name: 'oldest-denials',
          text: oldestText,
          values: [limit],
        })
        return rows.map(({ index, entry }) => ({ index: Number(index), entry: bytesOf(entry) }))
      }),

    forgetDenials: (index) =>
      answered(async () => {
        const [row] = await engine.rows({
          name: 'forget-denials',
          text: forgetText,
          values: [index],
        })
        return Number(row?.count ?? 0)
      }),

    leafBody: (leafHash) =>
      answered(async () => {
        const [row] = await engine.rows({ name: 'leaf-body', text: bodyText, values: [leafHash] })
        return row && bodyOf(row)
      }),
  }
}

async function headOf(database: Database) {
  const [row] = await database.select().from(logHead).limit(1)
  if (!row) return undefined
  const { id: _, ...head } = row
  return head
}

/** Of a backlog so long that counting it would be work, it is enough to know that it is. */
const countText = 'select count(*) from (select from log_waiting limit 100000) as waiting'

/** One statement, so that a leaf that moves meanwhile is seen where it was or where it is. */
const placeText = `
  select 'log' as place, index, null::integer as position, body
    from log_entries where leaf_hash = $1
  union all
  select 'denials', index, position, body from log_denials where leaf_hash = $1
  union all
  select 'waiting', null, null, id from log_waiting where leaf_hash = $1
  limit 1`

/** From one batch to the next by the index: `distinct` would read every denial there is. */
const oldestText = `
  with recursive oldest as (
    select min(index) as index, 1 as place from log_denials
    union all
    select (select min(index) from log_denials where index > oldest.index), place + 1
    from oldest where index is not null and place < $1::integer
  )
  select index, entry from oldest join log_entries using (index) order by index`

const forgetText = `
  with gone as (delete from log_denials where index = $1 returning body),
  bodies as (delete from log_bodies using gone where id = gone.body and kind = 'denial')
  select count(*) as count from gone`

function placeOf({ place, index, position }: Row): LeafPlace {
  if (place === 'waiting') return { in: 'waiting' }
  if (place === 'log') return { in: 'log', index: Number(index) }
  return { in: 'denials', index: Number(index), position: Number(position) }
}

const bodyText = `
  select kind, entry, salt, record, tenant, subject
  from log_bodies where id = (select body from (${placeText}) as found)`

function bodyOf(row: Row) {
  return {
    // The column holds what PendingLeaf says.
    kind: row.kind as Exclude<LeafKind, 'denials'>,
    entry: bytesOf(row.entry),
    salt: bytesOf(row.salt),
    record: bytesOf(row.record),
    tenant: row.tenant === null ? undefined : String(row.tenant),
    subject: String(row.subject),
  }
}
