/** Two replicas of the store on one PostgreSQL, and a way to hold its rows as somebody else would. */
import { afterAll, beforeAll, expect } from 'vitest'
import { openPostgresEngine, openPostgresStore } from '#src/adapters/postgres-store.ts'
import type { SqlEngine } from '#src/adapters/sql-engine.ts'
import type { Store } from '#src/service/ports.ts'
import { type Postgres, startPostgres } from '../postgres.ts'
import { AT, DAY } from './store-records.ts'

export const revocation = { at: AT, reason: 'operator', detail: '', by: 'alice' } as const

/** Of tokens that outlive a test. */
export const LASTING = { expiresAt: new Date(AT.getTime() + DAY) }

/** For the tests of one describe: started before them, and stopped after. */
export function twoReplicas() {
  let server: Postgres
  let replicas: readonly Store[] = []
  let engine: SqlEngine
  beforeAll(async () => {
    server = await startPostgres({
      deadlock_timeout: '200ms',
      // Not what a replica asks for.
      default_transaction_isolation: 'repeatable read',
    })
    const open = async () => await openPostgresStore(server.url, { migrations: 'apply' })
    replicas = [await open(), await open()]
    engine = openPostgresEngine(server.url)
  })
  afterAll(async () => {
    await Promise.all([...replicas, engine].map((each) => each.close()))
    await server.stop()
  })
  return {
    each: (n: number): Store => replicas[n % 2] ?? expect.fail('no replica'),
    engine: () => engine,
    /**
     * How many the server ever had to end, asked once everybody has gone: a batch that is ended is written again one by one,
     * so that nobody would notice.
     */
    async deadlocks() {
      await Promise.all([...replicas, engine].map((each) => each.close()))
      const fresh = openPostgresEngine(server.url)
      const [row] = await fresh.rows({
        text: `select deadlocks::int as deadlocks from pg_stat_database
          where datname = current_database()`,
      })
      await fresh.close()
      return row?.deadlocks
    },
  }
}
