/** Appraisals with the evidence and the endorsements that they rest on, on SQL. */
import { and, desc, eq, gte, lt, sql } from 'drizzle-orm'
import type { AppraisalPage, Store } from '../service/ports.ts'
import { NOTHING_FOUND, nextOf } from './appraisal-pages.ts'
import { appraisals, driftReports } from './schema.ts'
import { answered } from './sql-answered.ts'
import { readableOf, recordsOf } from './sql-appraisal-document.ts'
import { CONTENTS_OUTLIVE_MS, type RecentContents } from './sql-contents.ts'
import type { SqlEngine } from './sql-engine.ts'
import { gather } from './sql-gather.ts'
import { dropPartitions, makePartitions } from './sql-partitions.ts'
import { deleteOld } from './sql-prune.ts'
import { type ContentReader, contentReader } from './sql-read-contents.ts'
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
  const contents = contentReader(database)
  return {
    recordAttestation: attestationRecorder(engine, recent),

    findAppraisal: appraisalFinder(engine, contents),

    findEndorsements: (digest) =>
      answered(async () => (await contents.endorsements.find([digest])).get(digest)),

    appraisalsOf: (tenant, page) =>
      answered(async () => {
        if (page.before && !isUuid(page.before.id)) return NOTHING_FOUND
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
        const read = await readableOf(contents, rows)
        return {
          records: read.filter((record) => record !== undefined),
          unreadable: rows.filter((_, n) => !read[n]).map(({ at, id }) => ({ at, id })),
          next: nextOf(rows, page.limit),
        }
      }),

    pruneEvidence: (before) =>
      answered(async () => {
        await makePartitions(engine)
        const gone = await dropPartitions(engine, before)
        const unused = new Date(before.getTime() - CONTENTS_OUTLIVE_MS)
        await deleteOld(engine, { table: 'contents', condition: 'last_used_at < $1' }, unused)
        recent.forget()
        contents.forget()
        await database.delete(driftReports).where(lt(driftReports.at, before))
        return gone
      }),

    pruneChallenges: (before) =>
      answered(() =>
        deleteOld(engine, { table: 'used_challenges', condition: 'expires_at < $1' }, before),
      ),
  }
}

const MOST_AT_ONCE = 64
const MOST_WAITING = 10_000

/** Each release whose evidence is judged anew asks for one: those that come together share one statement. */
function appraisalFinder(engine: SqlEngine, contents: ContentReader): Store['findAppraisal'] {
  const named = engine.database
    .select()
    .from(appraisals)
    .where(sql`${appraisals.id} = any(${sql.placeholder('ids')}::uuid[])`)
    .prepare('find-appraisals')
  const find = gather(engine, {
    most: MOST_AT_ONCE,
    mostWaiting: MOST_WAITING,
    async read(ids) {
      const records = await recordsOf(contents, await named.execute({ ids }))
      return new Map(records.map((record) => [record.id, record]))
    },
  })
  return async (id) => (isUuid(id) ? await find(id) : undefined)
}

function withinPage(tenant: string, { since, before }: AppraisalPage) {
  return and(
    eq(appraisals.tenant, tenant),
    gte(appraisals.at, since),
    before &&
      sql`(${appraisals.at}, ${appraisals.id}) < (${before.at.toISOString()}::timestamptz, ${before.id}::uuid)`,
  )
}
