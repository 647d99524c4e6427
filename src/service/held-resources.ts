/**
 * What is read again and again for each release: how a resource may be had, and one sealed version of it. Held without asking
 * whether it changed, since the transaction that records a release asks: whoever is told that it did forgets it here. Only what
 * is sealed is held, never what is in it.
 */
import type { Store } from './ports.ts'
import type { KnownResource, SealedVersion } from './release-ports.ts'

export interface HeldResources {
  readonly resource: (tenant: string, name: string) => Promise<KnownResource | undefined>
  readonly sealed: (
    tenant: string,
    name: string,
    version: number,
  ) => Promise<SealedVersion | undefined>
  readonly forget: (tenant: string, name: string) => void
}

const MOST_HELD = 1_000
/** Of one resource: agents choose which versions they ask for. */
const MOST_VERSIONS_HELD = 4
/** Bytes of one sealed version: keys and passwords. What is larger is read each time. */
const LARGEST_HELD = 8 * 1024

interface Held {
  readonly resource: KnownResource
  readonly sealed: Map<number, SealedVersion>
}

export function heldResources(store: Pick<Store, 'findResource' | 'sealedVersion'>): HeldResources {
  const held = new Map<string, Held>()
  const keyOf = (tenant: string, name: string) => `${tenant}\0${name}`

  return {
    async resource(tenant, name) {
      const key = keyOf(tenant, name)
      const known = held.get(key)
      if (known) return known.resource
      const resource = await store.findResource(tenant, name)
      if (resource) held.set(key, { resource, sealed: new Map() })
      const [oldest] = held.keys()
      if (held.size > MOST_HELD && oldest !== undefined) held.delete(oldest)
      return resource
    },
    async sealed(tenant, name, version) {
      const entry = held.get(keyOf(tenant, name))
      const known = entry?.sealed.get(version)
      if (known) return known
      const found = await store.sealedVersion(tenant, name, version)
      if (entry && found && found.sealed.length <= LARGEST_HELD) hold(entry.sealed, found)
      return found
    },
    forget: (tenant, name) => void held.delete(keyOf(tenant, name)),
  }
}

function hold(sealed: Held['sealed'], found: SealedVersion): void {
  sealed.set(found.version, found)
  const [oldest] = sealed.keys()
  if (sealed.size > MOST_VERSIONS_HELD && oldest !== undefined) sealed.delete(oldest)
}
