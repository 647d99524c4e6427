/** Secrets and model keys with their versions, in memory. */
import { sameBytes } from '../bytes/encoding.ts'
import type { PendingLeaf } from '../service/log-ports.ts'
import {
  type KnownResource,
  MOST_VERSIONS,
  type Resource,
  type ResourceStore,
  type SealedVersion,
} from '../service/release-ports.ts'
import { fault } from './memory-fault.ts'

/** `versions`: the newest first. */
interface Kept {
  readonly resource: Resource
  readonly versions: readonly SealedVersion[]
}

/** `queue` throws, and queues none, where one of these leaves waits already. */
export function memoryResources(
  queue: (leaves: readonly PendingLeaf[]) => void,
): ResourceStore & { readonly known: (tenant: string, name: string) => KnownResource | undefined } {
  const kept = new Map<string, Kept>()
  const all = (tenant: string) =>
    [...kept.values()].filter(({ resource }) => resource.tenant === tenant)
  const known = (tenant: string, name: string) => knownOf(kept.get(keyOf(tenant, name)))
  return {
    known,
    async addResourceVersion({ resource, version, after, carries }, leaf) {
      const { tenant, name, brokerPath } = resource
      const before = kept.get(keyOf(tenant, name))
      if ((before?.versions[0]?.version ?? 0) !== after) return 'superseded'
      if ((before?.resource.revision ?? 0) !== resource.revision - 1) return 'superseded'
      if (before?.versions.some((each) => each.version === carries && each.revokedAt))
        return 'superseded'
      const others = all(tenant).filter((each) => each !== before)
      if (
        brokerPath !== undefined &&
        others.some((each) => each.resource.brokerPath === brokerPath)
      )
        return 'path-taken'
      if (before?.versions.some((each) => each.version === version.version))
        throw fault(`there is a version ${version.version} already`)
      queue([leaf])
      const versions = [version, ...(before?.versions ?? [])].toSorted(
        (a, b) => b.version - a.version,
      )
      kept.set(keyOf(tenant, name), { resource, versions: versions.slice(0, MOST_VERSIONS) })
      return 'added'
    },
    findResource: async (tenant, name) => known(tenant, name),
    resourceAtBrokerPath: async (tenant, path) =>
      knownOf(all(tenant).find(({ resource }) => resource.brokerPath === path)),
    resourcesOf: async (tenant, { limit, after }) =>
      all(tenant)
        .toSorted((a, b) => (a.resource.name < b.resource.name ? -1 : 1))
        .filter(({ resource }) => after === undefined || resource.name > after)
        .slice(0, limit)
        .flatMap((each) => knownOf(each) ?? []),
    sealedVersion: async (tenant, name, version) =>
      kept.get(keyOf(tenant, name))?.versions.find((each) => each.version === version),
    async revokeVersions(tenant, name, { versions, at }, leaf) {
      const found = kept.get(keyOf(tenant, name))
      const revoked = (found?.versions ?? [])
        .filter(({ revokedAt }) => revokedAt === undefined)
        .map(({ version }) => version)
        .filter((version) => versions === 'all' || versions.includes(version))
        .toSorted((a, b) => a - b)
      if (!found || revoked.length === 0) return []
      queue([leaf])
      const changed = found.versions.map((each) =>
        revoked.includes(each.version)
          ? { ...each, revokedAt: at, sealed: new Uint8Array() }
          : each,
      )
      kept.set(keyOf(tenant, name), { ...found, versions: changed })
      return revoked
    },
    async resealVersions(changes) {
      const isAsExpected = changes.every(({ tenant, name, version, from }) => {
        const found = kept.get(keyOf(tenant, name))?.versions.find((v) => v.version === version)
        return found && sameBytes(found.sealed, from)
      })
      if (!isAsExpected) return false
      for (const { tenant, name, version, to } of changes) {
        const key = keyOf(tenant, name)
        const found = kept.get(key)
        const versions = found?.versions.map((v) =>
          v.version === version ? { ...v, sealed: to } : v,
        )
        if (found && versions) kept.set(key, { ...found, versions })
      }
      return true
    },
  }
}

/** Names of tenants and resources have no spaces; were there one, the key would still name one pair only. */
function keyOf(tenant: string, name: string): string {
  return JSON.stringify([tenant, name])
}

function knownOf(kept: Kept | undefined): KnownResource | undefined {
  return kept && { ...kept.resource, versions: kept.versions.map(({ sealed: _, ...rest }) => rest) }
}
