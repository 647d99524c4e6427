/** The store on SQL: every aggregate changes in one transaction or one statement, never by reading first and writing then. */
import { desc, eq, lt, sql } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type { KeyPurpose, SealedKey, Store } from '../service/ports.ts'
import { keys, usedChallenges } from './schema.ts'
import { answered } from './sql-answered.ts'
import { sqlAppraisals } from './sql-appraisals.ts'
import { sqlPolicies } from './sql-policies.ts'

type Database = PgDatabase<PgQueryResultHKT>

/** Every method throws Problem('storage-unavailable') when the database does not do as asked. */
export function sqlStore(database: Database, close: () => Promise<void>): Store {
  return {
    ...sqlAppraisals(database),
    ...sqlPolicies(database),

    pruneChallenges: (before) =>
      answered(async () => {
        const gone = await database
          .delete(usedChallenges)
          .where(lt(usedChallenges.expiresAt, before))
          .returning({ id: usedChallenges.id })
        return gone.length
      }),

    keepFirstKey: (key) =>
      answered(() =>
        database.transaction(async (transaction) => {
          // Replicas that start together queue here, so that the second sees the first one's key.
          await transaction.execute(sql`select pg_advisory_xact_lock(hashtext(${key.purpose}))`)
          const [kept] = await newestKeys(transaction, key.purpose)
          if (kept) return kept
          await transaction.insert(keys).values(key)
          return key
        }),
      ),

    keysFor: (purpose) => answered(() => newestKeys(database, purpose)),

    ping: () =>
      answered(async () => {
        await database.execute(sql`select 1`)
      }),

    close,
  }
}

async function newestKeys(database: Database, purpose: KeyPurpose): Promise<readonly SealedKey[]> {
  const rows = await database
    .select()
    .from(keys)
    .where(eq(keys.purpose, purpose))
    .orderBy(desc(keys.createdAt))
  return rows.map((row) => ({ ...row, purpose }))
}
