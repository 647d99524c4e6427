/**
 * `vouchsafe keys rewrap`, for secrets and model keys: every version under another key-encryption key, one resource after the
 * other. Cut short, some are as they were and some as they are to be, and both can be opened by whoever has both keys; begun
 * again, it does what is left.
 */
import { sameBytes } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { KeyEncryption } from './key-encryption.ts'
import type { KnownResource, SealedVersion } from './release-ports.ts'
import type { Resealed } from './reseal-keys.ts'
import { openSealed, type SealedContent, sealedUnder, sealResource } from './sealed-resource.ts'
import type { Verifier } from './verifier.ts'

export type ResourceResealRoom = Pick<Verifier, 'store' | 'random' | 'keyEncryption'>

const PAGE = 100
/** Another command may do the same meanwhile. */
const MOST_TRIES = 5

/** Of these tenants. Throws Problem where a version does not open: what was resealed until then stays so. */
export async function resealResources(
  room: ResourceResealRoom,
  tenants: readonly string[],
  target: KeyEncryption,
): Promise<Resealed> {
  let [resealed, already] = [0, 0]
  for (const tenant of tenants)
    for await (const resource of allOf(room, tenant)) {
      const done = await resealOne(room, resource, target)
      resealed += done.resealed
      already += done.already
    }
  return { resealed, already }
}

async function* allOf(
  { store }: Pick<ResourceResealRoom, 'store'>,
  tenant: string,
): AsyncGenerator<KnownResource> {
  for (let after: string | undefined; ; ) {
    const page = await store.resourcesOf(tenant, { limit: PAGE, after })
    yield* page
    if (page.length < PAGE) return
    after = page.at(-1)?.name
  }
}

/** All of its versions, or none of them. */
async function resealOne(
  room: ResourceResealRoom,
  { tenant, name, versions }: KnownResource,
  target: KeyEncryption,
): Promise<Resealed> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const kept = await Promise.all(
      versions.map(({ version }) => room.store.sealedVersion(tenant, name, version)),
    )
    // Those that are gone were the oldest of too many, and of what is revoked nothing is left.
    const known = kept.flatMap((each) => (each && !each.revokedAt ? each : []))
    const others = known.filter((each) => !isUnder(each, target))
    const changes = []
    for (const each of others) changes.push(await changeOf(room, { tenant, name, each, target }))
    if (changes.length === 0 || (await room.store.resealVersions(changes)))
      return { resealed: changes.length, already: known.length - others.length }
  }
  throw new Problem('storage-unavailable', `${name} changed each time that it was read`)
}

async function changeOf(
  { random, keyEncryption }: ResourceResealRoom,
  {
    tenant,
    name,
    each: { version, sealed: from },
    target,
  }: {
    readonly tenant: string
    readonly name: string
    readonly each: SealedVersion
    readonly target: KeyEncryption
  },
) {
  const named = { tenant, name, version }
  const content = await opened(named, from, [...keyEncryption, target])
  const to = await sealResource(named, content, { encryption: target, random })
  content.secret.fill(0)
  // As it will be opened: once the old key is destroyed, it is too late to learn that it cannot be.
  const back = await opened(named, to, [target])
  back.secret.fill(0)
  return { ...named, from, to }
}

/** For operators: the reason stands in the sentence. Throws Problem. */
async function opened(...asked: Parameters<typeof openSealed>): Promise<SealedContent> {
  try {
    return await openSealed(...asked)
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Problem('configuration-invalid', reason, { cause })
  }
}

function isUnder(version: SealedVersion, { id }: KeyEncryption): boolean {
  const under = sealedUnder(version)
  return under !== undefined && sameBytes(under, id)
}
