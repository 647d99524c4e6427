/** Accepted policies and who enforces them, on SQL: compare-and-swap in one transaction, history in the same. */
import { and, asc, desc, eq, inArray, lt } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { linkAfter } from '../service/acceptance-chain.ts'
import type { DriftReport, PolicyRecord, Store } from '../service/ports.ts'
import {
  driftReports,
  enforcementPoints,
  policies,
  policyAcceptances,
  policySightings,
} from './schema.ts'
import { answered } from './sql-answered.ts'

type Database = PgDatabase<PgQueryResultHKT>

/** Three values a row, and a statement takes 65,535. */
const ROWS_PER_STATEMENT = 10_000

type PolicyStore = Pick<
  Store,
  | 'policyOf'
  | 'policyHeadOf'
  | 'acceptPolicy'
  | 'acceptancesOf'
  | 'firstSeen'
  | 'pruneSightings'
  | 'keepDrift'
  | 'latestDrift'
  | 'reportEnforcement'
  | 'enforcementPoints'
  | 'pruneEnforcementPoints'
>

export function sqlPolicies(database: Database): PolicyStore {
  return {
    policyOf: (tenant) =>
      answered(async () => {
        const [row] = await database.select().from(policies).where(eq(policies.tenant, tenant))
        return row && policyOf(row)
      }),

    policyHeadOf: (tenant) =>
      answered(async () => {
        const { sequence, commit } = policies
        const [head] = await database
          .select({ sequence, commit })
          .from(policies)
          .where(eq(policies.tenant, tenant))
        return head
      }),

    acceptPolicy: (previous, next) =>
      answered(() =>
        database.transaction(async (transaction) => {
          if (!(await swap(transaction, previous, next))) return 'superseded'
          // The row of `policies` is locked until the end of this transaction, so nobody else adds a link meanwhile.
          const [last] = await transaction
            .select()
            .from(policyAcceptances)
            .where(eq(policyAcceptances.tenant, next.tenant))
            .orderBy(desc(policyAcceptances.sequence))
            .limit(1)
          await transaction.insert(policyAcceptances).values(linkAfter(last, next))
          return 'accepted'
        }),
      ),

    acceptancesOf: (tenant) =>
      answered(() =>
        database
          .select()
          .from(policyAcceptances)
          .where(eq(policyAcceptances.tenant, tenant))
          .orderBy(asc(policyAcceptances.sequence)),
      ),

    firstSeen: (tenant, commits, at) =>
      answered(async () => {
        const seen = new Map<string, Date>()
        for (let start = 0; start < commits.length; start += ROWS_PER_STATEMENT) {
          const some = commits.slice(start, start + ROWS_PER_STATEMENT)
          for (const { commit, seenAt } of await sightings(database, { tenant, some, at }))
            seen.set(commit, seenAt)
        }
        return seen
      }),

    pruneSightings: (before) =>
      answered(async () => {
        const gone = await database
          .delete(policySightings)
          .where(lt(policySightings.seenAt, before))
          .returning({ commit: policySightings.commit })
        return gone.length
      }),

    keepDrift: ({ from, to, entries, ...report }) =>
      answered(async () => {
        await database.insert(driftReports).values({
          ...report,
          fromCommit: from.commit,
          fromDigest: from.digest,
          toCommit: to.commit,
          toDigest: to.digest,
          entries: [...entries],
        })
      }),

    latestDrift: (tenant) =>
      answered(async () => {
        const [row] = await database
          .select()
          .from(driftReports)
          .where(eq(driftReports.tenant, tenant))
          .orderBy(desc(driftReports.id))
          .limit(1)
        return row && driftOf(row)
      }),

    reportEnforcement: (point) =>
      answered(async () => {
        const { commit, digest, reportedAt } = point
        await database
          .insert(enforcementPoints)
          .values(point)
          .onConflictDoUpdate({
            target: [enforcementPoints.tenant, enforcementPoints.kind, enforcementPoints.name],
            set: { commit, digest, reportedAt },
          })
      }),

    enforcementPoints: (tenant) =>
      answered(() =>
        database
          .select()
          .from(enforcementPoints)
          .where(eq(enforcementPoints.tenant, tenant))
          .orderBy(asc(enforcementPoints.kind), asc(enforcementPoints.name)),
      ),

    pruneEnforcementPoints: (before, kinds) =>
      answered(async () => {
        const gone = await database
          .delete(enforcementPoints)
          .where(
            and(
              lt(enforcementPoints.reportedAt, before),
              inArray(enforcementPoints.kind, [...kinds]),
            ),
          )
          .returning({ name: enforcementPoints.name })
        return gone.length
      }),
  }
}

/** The whole row would be sent back: marks and provenance of every file. */
const little = { sequence: policies.sequence }

/** Whether this one was first. The sequence is compared too: a reset can bring back a commit that was accepted before. */
async function swap(
  transaction: Database,
  previous: string | undefined,
  next: PolicyRecord,
): Promise<boolean> {
  const { tenant, ...changed } = next
  const won =
    previous === undefined
      ? await transaction.insert(policies).values(next).onConflictDoNothing().returning(little)
      : await transaction
          .update(policies)
          .set(changed)
          .where(
            and(
              eq(policies.tenant, tenant),
              eq(policies.commit, previous),
              eq(policies.sequence, next.sequence - 1),
            ),
          )
          .returning(little)
  return won.length === 1
}

async function sightings(
  database: Database,
  {
    tenant,
    some,
    at,
  }: { readonly tenant: string; readonly some: readonly string[]; readonly at: Date },
) {
  await database
    .insert(policySightings)
    .values(some.map((commit) => ({ tenant, commit, seenAt: at })))
    .onConflictDoNothing()
  return await database
    .select()
    .from(policySightings)
    .where(and(eq(policySightings.tenant, tenant), inArray(policySightings.commit, [...some])))
}

/** JSON has no undefined: a principal that nobody named was left out. */
function policyOf({ provenance, ...row }: typeof policies.$inferSelect): PolicyRecord {
  return {
    ...row,
    provenance: Object.fromEntries(
      Object.entries(provenance).map(([path, { commit, principal }]) => [
        path,
        { commit, principal },
      ]),
    ),
  }
}

function driftOf(row: typeof driftReports.$inferSelect): DriftReport {
  const { id: _, fromCommit, fromDigest, toCommit, toDigest, ...report } = row
  return {
    ...report,
    from: { commit: fromCommit, digest: fromDigest },
    to: { commit: toCommit, digest: toDigest },
  }
}
