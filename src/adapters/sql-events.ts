/** Events, on SQL, numbered in the order of commits. */
import { asc, desc, gt } from 'drizzle-orm'
import type { EventStore, ServiceEvent } from '../service/token-ports.ts'
import { events } from './schema-tokens.ts'
import { answered } from './sql-answered.ts'
import { arraysOf, type Column, unnest } from './sql-columns.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'
import { locks, waitForLock } from './sql-locks.ts'
import { deleteOld } from './sql-prune.ts'

type Published = Omit<ServiceEvent, 'sequence'>

const eventColumns: readonly Column<Published>[] = [
  { name: 'at', type: 'timestamptz', of: ({ at }) => at },
  { name: 'kind', type: 'text', of: ({ kind }) => kind },
  { name: 'tenant', type: 'text', of: ({ tenant }) => tenant ?? null },
  { name: 'fields', type: 'json', of: ({ fields }) => JSON.stringify(fields) },
]

const publishText = `
  insert into events (sequence, at, kind, tenant, fields)
  select (select coalesce(max(sequence), 0) from events) + row_number() over (order by place),
    at, kind, tenant, fields
  from ${unnest(eventColumns, { alias: 'given', first: 1 }).replace(
    / as given\((.*)\)$/,
    ' with ordinality as given($1, place)',
  )}`

/**
 * To be the last thing that a transaction does: until it commits, nobody else publishes. So whoever reads number n has seen
 * all before it.
 */
export async function publish(session: SqlSession, published: readonly Published[]): Promise<void> {
  if (published.length === 0) return
  await waitForLock(session, locks.events)
  await session.rows({ text: publishText, values: arraysOf(eventColumns, published) })
}

export function sqlEvents(engine: SqlEngine): EventStore {
  const { database } = engine
  return {
    eventsAfter: (sequence, limit) =>
      answered(async () => {
        const rows = await database
          .select()
          .from(events)
          .where(gt(events.sequence, sequence))
          .orderBy(asc(events.sequence))
          .limit(limit)
        return rows.map(({ tenant, ...event }) => ({ ...event, tenant: tenant ?? undefined }))
      }),

    lastEvent: () =>
      answered(async () => {
        const [last] = await database
          .select({ sequence: events.sequence })
          .from(events)
          .orderBy(desc(events.sequence))
          .limit(1)
        return last?.sequence ?? 0
      }),

    // The newest stays, however old: the next one's number is counted from it.
    pruneEvents: (before) =>
      answered(() =>
        deleteOld(
          engine,
          {
            table: 'events',
            condition: 'at < $1 and sequence < (select max(sequence) from events)',
          },
          before,
        ),
      ),
  }
}
