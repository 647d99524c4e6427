/** Secrets and model keys with their versions, on SQL: what is there, and what is taken back. */
import type { KnownResource, ResourceStore, ResourceUse } from '../service/release-ports.ts'
import { addResourceVersion } from './sql-add-version.ts'
import { answered } from './sql-answered.ts'
import { arraysOf, bytesOf, type Column, unnest } from './sql-columns.ts'
import type { Row, SqlEngine, SqlSession } from './sql-engine.ts'
import { queueLeaves } from './sql-leaves.ts'
import { storable } from './storable-text.ts'

export function sqlResources(engine: SqlEngine): ResourceStore {
  return {
    addResourceVersion: (change, leaf) =>
      answered(() =>
        engine.transaction((session) => addResourceVersion(session, { ...change, leaf })),
      ),

    findResource: (tenant, name) =>
      answered(async () => {
        if (!storable(tenant, name)) return undefined
        const statement = { name: 'find-resource', text: byName, values: [tenant, name] }
        return knownOf(await engine.rows(statement))[0]
      }),

    resourceAtBrokerPath: (tenant, path) =>
      answered(async () => {
        if (!storable(tenant, path)) return undefined
        const statement = { name: 'resource-at-path', text: byPath, values: [tenant, path] }
        return knownOf(await engine.rows(statement))[0]
      }),

    resourcesOf: (tenant, { limit, after = '' }) =>
      answered(async () => {
        if (!storable(tenant, after)) return []
        return knownOf(await engine.rows({ text: page, values: [tenant, after, limit] }))
      }),

    sealedVersion: (tenant, name, version) =>
      answered(async () => {
        if (!storable(tenant, name) || !isInteger(version)) return undefined
        const [row] = await engine.rows({
          name: 'sealed-version',
          text: `select version, created_at, created_by, revoked_at, sealed from resource_versions
            where tenant = $1 and name = $2 and version = $3`,
          values: [tenant, name, version],
        })
        return row && { ...versionOf(row), sealed: bytesOf(row.sealed) }
      }),

    revokeVersions: (tenant, name, { versions, at }, leaf) =>
      answered(() =>
        engine.transaction(async (session) => {
          const revoked = await revoke(session, [tenant, name], { versions, at })
          if (revoked.length > 0) await queueLeaves(session, [leaf])
          return revoked
        }),
      ),

    resealVersions: (changes) =>
      answered(() => engine.transaction((session) => reseal(session, changes))),
  }
}

const known = (from: string) => `
  select found.*, version, created_at, created_by, revoked_at
  from (select * from resources where tenant = $1 and ${from}) as found
  join resource_versions using (tenant, name)
  order by name, version desc`
const byName = known('name = $2')
const byPath = known('broker_path = $2')
/** No name is empty. */
const page = known('name > $2 order by name limit $3')

/** Rows of one resource stand together, the newest version first. */
function knownOf(rows: readonly Row[]): readonly KnownResource[] {
  return [...Map.groupBy(rows, ({ name }) => String(name)).values()].flatMap((versions) => {
    const [row] = versions
    if (!row) return []
    return {
      tenant: String(row.tenant),
      name: String(row.name),
      // The column holds what Resource says.
      use: row.use as ResourceUse,
      approvals: Number(row.approvals),
      leaseSeconds: Number(row.lease_seconds),
      releasesPerMinute:
        row.releases_per_minute === null ? undefined : Number(row.releases_per_minute),
      brokerPath: row.broker_path === null ? undefined : String(row.broker_path),
      requiresSession: row.requires_session === true,
      acceptsSimulated: row.accepts_simulated === true,
      revision: Number(row.revision),
      versions: versions.map(versionOf),
    }
  })
}

function versionOf({ version, created_at, created_by, revoked_at }: Row) {
  if (!(created_at instanceof Date)) throw new TypeError('a version has no time')
  return {
    version: Number(version),
    createdAt: created_at,
    createdBy: String(created_by),
    revokedAt: revoked_at instanceof Date ? revoked_at : undefined,
  }
}

/** A number that no column of numbers can hold would fail the query instead of finding nothing. */
function isInteger(version: number): boolean {
  return version === (version | 0)
}

/** The resource's row first: whoever records a release of it holds that until his commit (sql-release-grounds.ts). */
async function revoke(
  session: SqlSession,
  resource: readonly [tenant: string, name: string],
  { versions, at }: { readonly versions: readonly number[] | 'all'; readonly at: Date },
): Promise<readonly number[]> {
  if (!storable(...resource)) return []
  await session.rows({
    text: 'select 1 from resources where tenant = $1 and name = $2 for no key update',
    values: resource,
  })
  const rows = await session.rows({
    text: `with revoked as (
        update resource_versions set revoked_at = $3, sealed = ''::bytea
        where tenant = $1 and name = $2 and revoked_at is null and ($4 or version = any ($5::bigint[]))
        returning version
      )
      select version from revoked order by version`,
    values: [
      ...resource,
      at,
      versions === 'all',
      { type: 'bigint', elements: versions === 'all' ? [] : versions },
    ],
  })
  return rows.map(({ version }) => Number(version))
}

type Change = Parameters<ResourceStore['resealVersions']>[0][number]

const resealColumns: readonly Column<Change>[] = [
  { name: 'tenant', type: 'text', of: ({ tenant }) => tenant },
  { name: 'name', type: 'text', of: ({ name }) => name },
  { name: 'version', type: 'integer', of: ({ version }) => version },
  { name: 'before', type: 'bytea', of: ({ from }) => from },
  { name: 'after', type: 'bytea', of: ({ to }) => to },
]
const resealed = unnest(resealColumns, { alias: 'change', first: 1 })

/** Locked before they are changed: then either all of them are as expected until the end, or none is touched. */
async function reseal(session: SqlSession, changes: readonly Change[]): Promise<boolean> {
  const values = arraysOf(resealColumns, changes)
  const found = await session.rows({
    text: `select version from resource_versions as kept
      join ${resealed} using (tenant, name, version)
      where kept.sealed = change.before order by tenant, name, version for update of kept`,
    values,
  })
  if (found.length !== changes.length) return false
  await session.rows({
    text: `update resource_versions as kept set sealed = change.after from ${resealed}
      where (kept.tenant, kept.name, kept.version) = (change.tenant, change.name, change.version)`,
    values,
  })
  return true
}
