/** Accepted policies and who enforces them, on SQL. */
import { and, asc, desc, eq, inArray, lt } from 'drizzle-orm'
import type { DriftReport, PolicyRecord, PolicyStore } from '../service/policy-ports.ts'
import {
  driftReports,
  enforcementPoints,
  policies,
  policyAcceptances,
  policySightings,
} from './schema.ts'
import { acceptPolicy } from './sql-accept-policy.ts'
import { answered } from './sql-answered.ts'
import type { Database, SqlEngine } from './sql-engine.ts'

/** Three values a row, and a statement takes 65,535. */
const ROWS_PER_STATEMENT = 10_000

export function sqlPolicies(engine: SqlEngine): PolicyStore {
  const { database } = engine
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

    acceptPolicy: (previous, next, leaf) =>
      answered(() => acceptPolicy(engine, { previous, next, leaf })),

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
