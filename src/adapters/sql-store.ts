/** The store on SQL: every aggregate changes in one transaction or one statement, never by reading first and writing then. */
import { DrizzleQueryError, desc, eq, lt, sql } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { Problem } from '../problems.ts'
import type { AppraisalRecord, KeyPurpose, SealedKey, Store } from '../service/ports.ts'
import { appraisals, keys, usedChallenges } from './schema.ts'

type Database = PgDatabase<PgQueryResultHKT>

/** Every method throws Problem('storage-unavailable') when the database does not do as asked. */
export function sqlStore(database: Database, close: () => Promise<void>): Store {
  return {
    recordAttestation: ({ id, expiresAt }, appraisal) =>
      answered(() =>
        database.transaction(async (transaction) => {
          const inserted = await transaction
            .insert(usedChallenges)
            .values({ id, expiresAt })
            .onConflictDoNothing()
            .returning({ id: usedChallenges.id })
          if (inserted.length === 0) return 'challenge-used'
          await transaction.insert(appraisals).values(rowOf(appraisal))
          return 'recorded'
        }),
      ),

    findAppraisal: (id) =>
      answered(async () => {
        const [row] = await database.select().from(appraisals).where(eq(appraisals.id, id)).limit(1)
        return row && recordOf(row)
      }),

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

function rowOf({ evidence, token, referenceValue, ...record }: AppraisalRecord) {
  return {
    ...record,
    findings: [...record.findings],
    referenceValue: referenceValue ?? null,
    quote: evidence.quote,
    auxblob: evidence.auxblob ?? null,
    eventLog: evidence.eventLog ?? null,
    tokenId: token?.jti ?? null,
    tokenExpiresAt: token?.expiresAt ?? null,
  }
}

function recordOf(row: typeof appraisals.$inferSelect): AppraisalRecord {
  const { quote, auxblob, eventLog, tokenId, tokenExpiresAt, referenceValue, ...record } = row
  return {
    ...record,
    referenceValue: referenceValue ?? undefined,
    evidence: { quote, ...(auxblob && { auxblob }), ...(eventLog && { eventLog }) },
    token:
      tokenId !== null && tokenExpiresAt !== null
        ? { jti: tokenId, expiresAt: tokenExpiresAt }
        : undefined,
  }
}

/** The database's own error stays the cause, for the log; nothing of it is shown. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    // Drizzle's wrapper quotes every parameter in its message: evidence, challenges, sealed keys.
    const cause = error instanceof DrizzleQueryError ? error.cause : error
    throw new Problem('storage-unavailable', 'the database did not do as asked', {
      cause,
      retryAfterSeconds: 5,
    })
  }
}
