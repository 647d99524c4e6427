/** Appraisals with the evidence and the endorsements that they rest on, on SQL. */
import { and, desc, eq, gte, lt, sql } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type { AppraisalPage, AppraisalRecord, KeptEndorsements, Store } from '../service/ports.ts'
import { decodeParts, encodeParts } from './endorsement-cache-encoding.ts'
import { appraisals, driftReports, endorsements, usedChallenges } from './schema.ts'
import { answered } from './sql-answered.ts'

type Database = PgDatabase<PgQueryResultHKT>

/** How far `last_used_at` may lag behind, so that an attestation seldom writes it. */
const LAST_USE_GRANULARITY_MS = 24 * 3600_000

type AppraisalStore = Pick<
  Store,
  'recordAttestation' | 'findAppraisal' | 'findEndorsements' | 'appraisalsOf' | 'pruneEvidence'
>

export function sqlAppraisals(database: Database): AppraisalStore {
  return {
    recordAttestation: ({ id, expiresAt }, appraisal, held) =>
      answered(() =>
        database.transaction(async (transaction) => {
          const inserted = await transaction
            .insert(usedChallenges)
            .values({ id, expiresAt })
            .onConflictDoNothing()
            .returning({ id: usedChallenges.id })
          if (inserted.length === 0) return 'challenge-used'
          if (held) await keepEndorsements(transaction, held, appraisal.at)
          await transaction.insert(appraisals).values(rowOf(appraisal))
          return 'recorded'
        }),
      ),

    findAppraisal: (id) =>
      answered(async () => {
        const [row] = await database.select().from(appraisals).where(eq(appraisals.id, id)).limit(1)
        return row && recordOf(row)
      }),

    findEndorsements: (digest) =>
      answered(async () => {
        const [row] = await database
          .select()
          .from(endorsements)
          .where(eq(endorsements.digest, digest))
        return row && decodeParts(row.parts)
      }),

    appraisalsOf: (tenant, page) =>
      answered(() =>
        database.transaction(async (transaction) => {
          // The index has the order already. A planner without statistics (PGlite never makes any) sorts a whole tenant
          // for every page instead.
          await transaction.execute(sql`set local enable_sort = off`)
          const rows = await transaction
            .select()
            .from(appraisals)
            .where(withinPage(tenant, page))
            .orderBy(desc(appraisals.at), desc(appraisals.id))
            .limit(page.limit)
          return rows.map(recordOf)
        }),
      ),

    pruneEvidence: (before) =>
      answered(() =>
        database.transaction(async (transaction) => {
          const gone = await transaction
            .delete(appraisals)
            .where(lt(appraisals.at, before))
            .returning({ id: appraisals.id })
          // Whatever rests on a set was recorded at most a day after this says that the set was used last.
          const unused = new Date(before.getTime() - LAST_USE_GRANULARITY_MS)
          await transaction.delete(endorsements).where(lt(endorsements.lastUsedAt, unused))
          await transaction.delete(driftReports).where(lt(driftReports.at, before))
          return gone.length
        }),
      ),
  }
}

/** On a conflict the row is locked even where nothing is written, so that it is not pruned before this appraisal is there. */
async function keepEndorsements(
  transaction: Database,
  { digest, parts }: KeptEndorsements,
  at: Date,
): Promise<void> {
  const stale = new Date(at.getTime() - LAST_USE_GRANULARITY_MS)
  await transaction
    .insert(endorsements)
    .values({ digest, parts: encodeParts(parts), lastUsedAt: at })
    .onConflictDoUpdate({
      target: endorsements.digest,
      set: { lastUsedAt: at },
      setWhere: lt(endorsements.lastUsedAt, stale),
    })
}

function withinPage(tenant: string, { since, before }: AppraisalPage) {
  return and(
    eq(appraisals.tenant, tenant),
    gte(appraisals.at, since),
    before &&
      sql`(${appraisals.at}, ${appraisals.id}) < (${before.at.toISOString()}::timestamptz, ${before.id}::uuid)`,
  )
}

function rowOf({
  evidence,
  token,
  referenceValue,
  manifestProvenance,
  audience,
  ...record
}: AppraisalRecord) {
  return {
    ...record,
    audience: audience ?? null,
    findings: [...record.findings],
    layers: [...record.layers],
    manifestCommit: manifestProvenance?.commit ?? null,
    manifestPrincipal: manifestProvenance?.principal ?? null,
    referenceValue: referenceValue?.id ?? null,
    referenceLine: referenceValue?.line ?? null,
    referenceMatched: referenceValue?.isMatched ?? null,
    quote: evidence.quote,
    auxblob: evidence.auxblob ?? null,
    eventLog: evidence.eventLog ?? null,
    tokenId: token?.jti ?? null,
    tokenExpiresAt: token?.expiresAt ?? null,
  }
}

function recordOf(row: typeof appraisals.$inferSelect): AppraisalRecord {
  const { quote, auxblob, eventLog, tokenId, tokenExpiresAt, ...others } = row
  const { audience, manifestCommit, manifestPrincipal, ...rest } = others
  const { referenceValue, referenceLine, referenceMatched, ...record } = rest
  return {
    ...record,
    audience: audience ?? undefined,
    manifestProvenance:
      manifestCommit === null
        ? undefined
        : { commit: manifestCommit, principal: manifestPrincipal ?? undefined },
    referenceValue:
      referenceValue === null || referenceLine === null
        ? undefined
        : { id: referenceValue, line: referenceLine, isMatched: referenceMatched === true },
    evidence: { quote, ...(auxblob && { auxblob }), ...(eventLog && { eventLog }) },
    token:
      tokenId !== null && tokenExpiresAt !== null
        ? { jti: tokenId, expiresAt: tokenExpiresAt }
        : undefined,
  }
}
