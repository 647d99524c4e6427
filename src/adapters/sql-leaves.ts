/** Queued leaves as rows: the private body, and the short row that says that it waits. */
import type { PendingLeaf } from '../service/log-ports.ts'
import { arraysOf, type Column, unnest } from './sql-columns.ts'
import type { SqlSession } from './sql-engine.ts'

export const leafColumns: readonly Column<PendingLeaf>[] = [
  { name: 'leaf_kind', type: 'text', of: ({ kind }) => kind },
  { name: 'leaf_entry', type: 'bytea', of: ({ entry }) => entry },
  { name: 'leaf_hash', type: 'bytea', of: ({ leafHash }) => leafHash },
  { name: 'leaf_salt', type: 'bytea', of: ({ salt }) => salt },
  { name: 'leaf_record', type: 'bytea', of: ({ record }) => record },
  { name: 'leaf_tenant', type: 'text', of: ({ tenant }) => tenant ?? null },
  { name: 'leaf_subject', type: 'text', of: ({ subject }) => subject },
]

/** The id of the next body; `log_bodies` and `log_waiting` share it. */
export const nextBody = `nextval('log_bodies_id_seq')`

/** Two CTEs that queue the leaves in `from`, which has the columns above and `leaf`, an id of `nextBody`. */
export function queueFrom(from: string): string {
  return `
    bodies as (
      insert into log_bodies (id, kind, entry, salt, record, tenant, subject)
        overriding system value
      select leaf, leaf_kind, leaf_entry, leaf_salt, leaf_record, leaf_tenant, leaf_subject
      from ${from}
    ),
    queued as (
      insert into log_waiting (leaf_hash, id) select leaf_hash, leaf from ${from}
    )`
}

const queueText = `
  with leaves as materialized (
    select ${nextBody} as leaf, given.* from ${unnest(leafColumns, { alias: 'given', first: 1 })}
  ),
  ${queueFrom('leaves')}
  select 1`

/** In the transaction of what they answer for. */
export async function queueLeaves(
  session: SqlSession,
  leaves: readonly PendingLeaf[],
): Promise<void> {
  if (leaves.length === 0) return
  await session.rows({ text: queueText, values: arraysOf(leafColumns, leaves) })
}
