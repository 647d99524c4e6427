/** What becomes of the others when a replica freezes in the middle of a transaction, with locks that all of them need? */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgresEngine, openPostgresStore } from '#src/adapters/postgres-store.ts'
import { locks, waitForLock } from '#src/adapters/sql-locks.ts'
import type { Store } from '#src/service/ports.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { leaf } from './store-records.ts'

describeWithPostgres('a replica that freezes in a transaction', () => {
  let postgres: Postgres
  let store: Store
  beforeAll(async () => {
    postgres = await startPostgres()
    store = await openPostgresStore(postgres.url, { migrations: 'apply' })
  })
  afterAll(async () => {
    await store.close()
    await postgres.stop()
  })

  test('is cut off by the server before the others give up waiting', async () => {
    const engine = openPostgresEngine(postgres.url)
    const milliseconds = async (name: string) => {
      const [row] = await engine.rows({
        text: 'select setting::int as ms from pg_settings where name = $1',
        values: [name],
      })
      return Number(row?.ms)
    }
    const idle = await milliseconds('idle_in_transaction_session_timeout')
    expect(idle).toBeGreaterThan(0)
    expect(idle).toBeLessThan(await milliseconds('statement_timeout'))
    await engine.close()
  })

  test.runIf(process.env.VOUCHSAFE_LONG)(
    'keeps a revocation waiting, and not for ever (VOUCHSAFE_LONG=1)',
    { timeout: 60_000 },
    async () => {
      const frozen = openPostgresEngine(postgres.url)
      const { promise: never, resolve: thaw } = Promise.withResolvers<void>()
      const { promise: holding, resolve: holds } = Promise.withResolvers<void>()
      const stuck = frozen
        .transaction(async (session) => {
          await waitForLock(session, locks.log)
          await waitForLock(session, locks.events)
          holds()
          await never
        })
        .catch((error: unknown) => error)
      await holding
      const key = { kid: 'aa', purpose: 'challenge', sealed: new Uint8Array([2]) } as const
      const at = new Date()
      await store.keepFirstKey({ ...key, createdAt: at, activeFrom: at, revokedAt: undefined })
      expect(await store.revokeKey('challenge', 'aa', { at, leaf: leaf({ kind: 'keys' }) })).toBe(
        true,
      )
      thaw()
      expect(await stuck).toBeInstanceOf(Error)
      await frozen.close()
    },
  )
})
