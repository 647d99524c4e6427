/** Resources, approvals, sessions and releases, on SQL. */
import { eq } from 'drizzle-orm'
import { toHex } from '../bytes/encoding.ts'
import type { ReleaseStore } from '../service/release-ports.ts'
import { releases } from './schema-releases.ts'
import { answered } from './sql-answered.ts'
import { sqlApprovals } from './sql-approvals.ts'
import { sqlBrokerSessions } from './sql-broker-sessions.ts'
import type { SqlEngine } from './sql-engine.ts'
import { deleteOld } from './sql-prune.ts'
import { releaseRecorder } from './sql-record-releases.ts'
import { renewLease } from './sql-renew-lease.ts'
import { sqlResources } from './sql-resources.ts'
import { isUuid } from './uuid-text.ts'

export function sqlReleases(engine: SqlEngine): ReleaseStore {
  const { database } = engine
  return {
    ...sqlResources(engine),
    ...sqlApprovals(engine),
    ...sqlBrokerSessions(engine),
    recordRelease: releaseRecorder(engine),

    findRelease: (id) =>
      answered(async () => {
        if (!isUuid(id)) return undefined
        const [row] = await database.select().from(releases).where(eq(releases.id, id))
        if (!row) return undefined
        const { leaseUntil, leafHash, ...release } = row
        return { ...release, leaseUntil: leaseUntil ?? undefined, leafHash: toHex(leafHash) }
      }),

    renewLease: (id, renewal) =>
      answered(async () => (isUuid(id) ? await renewLease(engine, id, renewal) : 'lease-over')),

    // The first condition of each is what the index finds; few of what it finds fails the second.
    pruneReleases: (before) =>
      answered(async () => {
        const expired = 'expires_at < $1'
        await deleteOld(engine, { table: 'release_approvals', condition: expired }, before)
        const over = 'at < $1 and coalesce(lease_until, at) < $1'
        return await deleteOld(engine, { table: 'releases', condition: over }, before)
      }),
  }
}
