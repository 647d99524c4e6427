/** Runs of slots in status lists, each given to one replica only. */
import type { StatusBlock } from '../service/token-ports.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'
import { locks, waitForLock } from './sql-locks.ts'

export interface BlockRequest {
  readonly size: number
  readonly capacity: number
  readonly at: Date
}

export async function takeStatusBlock(
  engine: SqlEngine,
  issuer: string,
  { size, capacity, at }: BlockRequest,
): Promise<StatusBlock> {
  if (size > capacity) throw new RangeError(`${size} slots do not fit into ${capacity}`)
  return await engine.transaction(async (session) => {
    await waitForLock(session, locks.statusListsOf(issuer))
    const block = (await fromNewest(session, issuer, size)) ?? {
      list: await newList(session, issuer, { size, capacity, at }),
      first: 0,
    }
    return { ...block, size }
  })
}

async function fromNewest(session: SqlSession, issuer: string, size: number) {
  const [row] = await session.rows({
    text: `update status_lists set next = next + $2::integer
      where list = (select max(list) from status_lists where issuer = $1)
        and next + $2::integer <= capacity
      returning list, next - $2::integer as first`,
    values: [issuer, size],
  })
  return row && { list: Number(row.list), first: Number(row.first) }
}

async function newList(
  session: SqlSession,
  issuer: string,
  { size, capacity, at }: BlockRequest,
): Promise<number> {
  const [row] = await session.rows({
    text: `insert into status_lists (issuer, capacity, next, created_at)
      values ($1, $2, $3, $4) returning list`,
    values: [issuer, capacity, size, at],
  })
  return Number(row?.list)
}
