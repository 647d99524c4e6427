/** Appraisals with the evidence and the endorsements that they rest on, on SQL. */
import { and, desc, eq, gte, lt, sql } from 'drizzle-orm'
import type { AppraisalPage, Store } from '../service/ports.ts'
import { decodeParts } from './endorsement-cache-encoding.ts'
import { appraisals, contents, driftReports } from './schema.ts'
import { answered } from './sql-answered.ts'
import { recordsOf } from './sql-appraisal-document.ts'
import { CONTENTS_OUTLIVE_MS, type RecentContents } from './sql-contents.ts'
import type { SqlEngine } from './sql-engine.ts'
import { dropPartitions, makePartitions } from './sql-partitions.ts'
import { deleteOld } from './sql-prune.ts'
import { attestationRecorder } from './sql-record-attestations.ts'
import { isUuid } from './uuid-text.ts'

type AppraisalStore = Pick<
  Store,
  | 'recordAttestation'
  | 'findAppraisal'
  | 'findEndorsements'
  | 'appraisalsOf'
  | 'pruneEvidence'
  | 'pruneChallenges'
>

export function sqlAppraisals(engine: SqlEngine, recent: RecentContents): AppraisalStore {
  const { database } = engine
  // Asked for by each release whose evidence is judged anew.
  const named = database
    .select()
    .from(appraisals)
    .where(eq(appraisals.id, sql.placeholder('id')))
    .limit(1)
    .prepare('find-appraisal')
  const endorsed = database
    .select({ content: contents.content })
    .from(contents)
    .where(and(eq(contents.kind, 'endorsements'), eq(contents.digest, sql.placeholder('digest'))))
    .prepare('find-endorsements')
  return {
    recordAttestation: attestationRecorder(engine, recent),

    findAppraisal: (id) =>
      answered(async () => {
        if (!isUuid(id)) return undefined
        const rows = await named.execute({ id })
        const [record] = await recordsOf(database, rows)
        return record
      }),

    findEndorsements: (digest) =>
      answered(async () => {
        const [row] = await endorsed.execute({ digest })
        return row && decodeParts(row.content)
      }),

    appraisalsOf: (tenant, page) =>
      answered(async () => {
        if (page.before && !isUuid(page.before.id)) return []
        const rows = await database.transaction(async (transaction) => {
          // The index has the order already. A planner without statistics (PGlite never makes any) sorts a whole tenant
          // for every page instead.
          await transaction.execute(sql`set local enable_sort = off`)
          return await transaction
            .select()
            .from(appraisals)
            .where(withinPage(tenant, page))
            .orderBy(desc(appraisals.at), desc(appraisals.id))
            .limit(page.limit)
        })
        return await recordsOf(database, rows)
      }),

    pruneEvidence: (before) =>
      answered(async () => {
        await makePartitions(engine)
        const gone = await dropPartitions(engine, before)
        const unused = new Date(before.getTime() - CONTENTS_OUTLIVE_MS)
        await deleteOld(engine, { table: 'contents', condition: 'last_used_at < $1' }, unused)
        recent.forget()
        await database.delete(driftReports).where(lt(driftReports.at, before))
        return gone
      }),

    pruneChallenges: (before) =>
      answered(() =>
        deleteOld(engine, { table: 'used_challenges', condition: 'expires_at < $1' }, before),
      ),
  }
}

function withinPage(tenant: string, { since, before }: AppraisalPage) {
  return and(
    eq(appraisals.tenant, tenant),
    gte(appraisals.at, since),
    before &&
      sql`(${appraisals.at}, ${appraisals.id}) < (${before.at.toISOString()}::timestamptz, ${before.id}::uuid)`,
  )
}
