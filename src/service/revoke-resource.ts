/** `POST /v1/resources/{name}/revocations`: versions that nobody is given any more. What is out already, its lease ends. */
import { Problem } from '../problems.ts'
import { resourceLeaf } from './log-leaves.ts'
import type { ResourceRoom } from './put-resource.ts'

export interface ResourceRevocation {
  readonly tenant: string
  readonly name: string
  readonly versions: readonly number[] | 'all'
  /** Name of the operator. */
  readonly by: string
}

/**
 * Resolves to the versions that it revoked: none where all were before. Throws Problem('resource-unknown') where there is no
 * such resource or version.
 */
export async function revokeResource(
  { store, random, journal }: Omit<ResourceRoom, 'keyEncryption'>,
  { tenant, name, versions, by }: ResourceRevocation,
  at: Date,
): Promise<readonly number[]> {
  const known = await store.findResource(tenant, name)
  if (!known) throw new Problem('resource-unknown', `there is no ${name}`)
  const stray =
    versions !== 'all' &&
    versions.find((version) => !known.versions.some((each) => each.version === version))
  if (stray) throw new Problem('resource-unknown', `${name} has no version ${stray}`)
  const leaf = resourceLeaf({ tenant, name, change: 'revoked', versions, by, at }, random)
  const revoked = await store.revokeVersions(tenant, name, { versions, at }, leaf)
  for (const version of revoked)
    journal.record({
      event: 'resource.revoked',
      at,
      fields: { tenant, resource: name, version, by },
    })
  return revoked
}
