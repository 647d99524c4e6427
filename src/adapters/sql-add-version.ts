/** Another version of a resource, with the settings that it is had under from then on: compare-and-swap, in one transaction. */
import type { PendingLeaf } from '../service/log-ports.ts'
import {
  MOST_VERSIONS,
  type ReleaseStore,
  type Resource,
  type SealedVersion,
} from '../service/release-ports.ts'
import type { SqlSession } from './sql-engine.ts'
import { queueLeaves } from './sql-leaves.ts'
import { locks, waitForLock } from './sql-locks.ts'

type AddVersion = ReleaseStore['addResourceVersion']
type Change = Parameters<AddVersion>[0]

export async function addResourceVersion(
  session: SqlSession,
  { resource, version, after, carries, leaf }: Change & { readonly leaf: PendingLeaf },
): ReturnType<AddVersion> {
  // Whoever else adds or changes one of this tenant's waits here, so that what is read now holds until the end.
  await waitForLock(session, locks.resourcesOf(resource.tenant))
  await holdRow(session, resource)
  const before = await lookUp(session, resource, carries)
  if (before.newest !== after || before.revision !== resource.revision - 1) return 'superseded'
  if (before.isRevoked) return 'superseded'
  if (before.isPathTaken) return 'path-taken'
  await settle(session, resource)
  await insert(session, resource, version)
  await forgetOldest(session, resource)
  await queueLeaves(session, [leaf])
  return 'added'
}

/** As whoever revokes versions of it does: what is read after that is as it stays. */
async function holdRow(session: SqlSession, { tenant, name }: Resource): Promise<void> {
  await session.rows({
    text: 'select 1 from resources where tenant = $1 and name = $2 for no key update',
    values: [tenant, name],
  })
}

async function lookUp(
  session: SqlSession,
  { tenant, name, brokerPath }: Resource,
  carried: number | undefined,
) {
  const [row] = await session.rows({
    text: `select
        (select revision from resources where tenant = $1 and name = $2) as revision,
        (select max(version) from resource_versions where tenant = $1 and name = $2) as newest,
        exists (select from resources where tenant = $1 and broker_path = $3 and name <> $2)
          as is_path_taken,
        exists (select from resource_versions
          where tenant = $1 and name = $2 and version = $4 and revoked_at is not null)
          as is_revoked`,
    values: [tenant, name, brokerPath ?? null, carried ?? null],
  })
  return {
    revision: Number(row?.revision ?? 0),
    newest: Number(row?.newest ?? 0),
    isPathTaken: row?.is_path_taken === true,
    isRevoked: row?.is_revoked === true,
  }
}

async function settle(session: SqlSession, resource: Resource): Promise<void> {
  await session.rows({
    text: `insert into resources (tenant, name, use, approvals, lease_seconds, releases_per_minute,
        broker_path, requires_session, accepts_simulated, revision)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
      on conflict (tenant, name) do update set use = excluded.use, approvals = excluded.approvals,
        lease_seconds = excluded.lease_seconds, releases_per_minute = excluded.releases_per_minute,
        broker_path = excluded.broker_path, requires_session = excluded.requires_session,
        accepts_simulated = excluded.accepts_simulated, revision = excluded.revision`,
    values: [
      resource.tenant,
      resource.name,
      resource.use,
      resource.approvals,
      resource.leaseSeconds,
      resource.releasesPerMinute ?? null,
      resource.brokerPath ?? null,
      resource.requiresSession,
      resource.acceptsSimulated,
      resource.revision,
    ],
  })
}

async function insert(
  session: SqlSession,
  { tenant, name }: Resource,
  { version, createdAt, createdBy, revokedAt, sealed }: SealedVersion,
): Promise<void> {
  await session.rows({
    text: `insert into resource_versions
      (tenant, name, version, created_at, created_by, revoked_at, sealed)
      values ($1, $2, $3, $4, $5, $6, $7)`,
    values: [tenant, name, version, createdAt, createdBy, revokedAt ?? null, sealed],
  })
}

async function forgetOldest(session: SqlSession, { tenant, name }: Resource): Promise<void> {
  await session.rows({
    text: `delete from resource_versions where tenant = $1 and name = $2 and version <=
      (select version from resource_versions where tenant = $1 and name = $2
        order by version desc offset $3 limit 1)`,
    values: [tenant, name, MOST_VERSIONS],
  })
}
