/** Who was asked to agree to a release, and who did, on SQL. */
import { and, desc, eq, gt } from 'drizzle-orm'
import type { Agreement } from '../release/approval.ts'
import type { ReleaseApproval, ReleaseStore } from '../service/release-ports.ts'
import { withAgreement } from './agreements.ts'
import { releaseApprovals } from './schema-releases.ts'
import { answered } from './sql-answered.ts'
import type { Database, SqlEngine, SqlSession } from './sql-engine.ts'
import { queueLeaves } from './sql-leaves.ts'
import { storable } from './storable-text.ts'

type ApprovalStore = Pick<
  ReleaseStore,
  'askApproval' | 'approveRelease' | 'findApproval' | 'approvalsOf'
>

export function sqlApprovals(engine: SqlEngine): ApprovalStore {
  const { database } = engine
  return {
    askApproval: (approval) =>
      answered(async () => {
        await ask(engine, approval)
        const kept = await find(database, approval.id)
        if (!kept) throw new Error('an approval that was asked for is gone')
        return kept
      }),

    approveRelease: (id, by, leaf) =>
      answered(async () => {
        if (!storable(id)) return undefined
        const outcome = await engine.transaction(async (session) => {
          const added = await approve(session, id, by)
          if (added === 'added') await queueLeaves(session, [leaf])
          return added
        })
        return outcome === 'over' ? undefined : await find(database, id)
      }),

    findApproval: (id) => answered(() => find(database, id)),

    approvalsOf: (tenant, { at, limit }) =>
      answered(async () => {
        const rows = await database
          .select()
          .from(releaseApprovals)
          .where(and(eq(releaseApprovals.tenant, tenant), gt(releaseApprovals.expiresAt, at)))
          .orderBy(desc(releaseApprovals.requestedAt), desc(releaseApprovals.id))
          .limit(limit)
        return rows.map(approvalOf)
      }),
  }
}

async function find(database: Database, id: string): Promise<ReleaseApproval | undefined> {
  if (!storable(id)) return undefined
  const [row] = await database.select().from(releaseApprovals).where(eq(releaseApprovals.id, id))
  return row && approvalOf(row)
}

function approvalOf(row: typeof releaseApprovals.$inferSelect): ReleaseApproval {
  const approvedBy = row.approvedBy.map(({ at, ...rest }) => ({ ...rest, at: new Date(at) }))
  return { ...row, approvedBy }
}

/** What is over is asked anew, and nobody has agreed to it. */
async function ask(engine: SqlEngine, approval: ReleaseApproval): Promise<void> {
  const { id, tenant, resource, version, environment, agent, jkt, requestedAt, expiresAt } =
    approval
  await engine.rows({
    text: `insert into release_approvals (id, tenant, resource, version, environment, agent, jkt,
        requested_at, expires_at, approved_by)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
      on conflict (id) do update set requested_at = excluded.requested_at,
        expires_at = excluded.expires_at, approved_by = excluded.approved_by
      where release_approvals.expires_at <= excluded.requested_at`,
    values: [
      ...[id, tenant, resource, version, environment, agent, jkt, requestedAt, expiresAt],
      JSON.stringify(approval.approvedBy),
    ],
  })
}

async function approve(
  session: SqlSession,
  id: string,
  by: Agreement,
): Promise<'added' | 'there' | 'over'> {
  const [row] = await session.rows({
    text: 'select approved_by from release_approvals where id = $1 and expires_at > $2 for update',
    values: [id, by.at],
  })
  if (!row) return 'over'
  // The column holds what ReleaseApproval says, its times as text.
  const before = row.approved_by as readonly { readonly operator: string }[]
  const agreed = withAgreement(before, by)
  if (!agreed) return 'there'
  await session.rows({
    text: 'update release_approvals set approved_by = $2 where id = $1',
    values: [id, JSON.stringify(agreed)],
  })
  return 'added'
}
