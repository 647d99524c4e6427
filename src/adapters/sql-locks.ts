/**
 * What replicas take turns at: advisory locks of the database, held until the transaction ends. The numbers are fixed for
 * ever, since replicas of two versions may run side by side.
 */
import type { SqlSession } from './sql-engine.ts'

export type Lock = readonly [kind: number, key: number | string]

const SINGLE = 0x766f

export const locks = {
  /** Taken last by whoever takes several: then nobody waits in a circle. */
  events: [SINGLE, 1],
  partitions: [SINGLE, 2],
  log: [SINGLE, 3],
  migrations: [SINGLE, 4],
  alive: [SINGLE, 5],
  keysOf: (purpose: string): Lock => [SINGLE + 1, purpose],
  statusListsOf: (issuer: string): Lock => [SINGLE + 2, issuer],
  resourcesOf: (tenant: string): Lock => [SINGLE + 3, tenant],
} as const

/** `timeoutMs`: where others hold it for long. */
export async function waitForLock(
  session: SqlSession,
  lock: Lock,
  timeoutMs?: number,
): Promise<void> {
  const wait = statement('pg_advisory_xact_lock', lock)
  await session.rows(timeoutMs === undefined ? wait : { ...wait, timeoutMs })
}

/** False while another holds it. */
export async function tryLock(session: SqlSession, lock: Lock): Promise<boolean> {
  const [row] = await session.rows(statement('pg_try_advisory_xact_lock', lock))
  return row?.taken === true
}

/** Two names with the same hash take turns where they need not, and nothing worse. */
function statement(name: string, [kind, key]: Lock) {
  const number = typeof key === 'string' ? 'hashtext($2::text)' : '$2::integer'
  return { text: `select ${name}($1::integer, ${number}) as taken`, values: [kind, key] }
}
