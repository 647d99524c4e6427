/**
 * `POST /v1/resources` and `vouchsafe release put|rotate|revoke`: a secret or model key is added, followed by another
 * version, had in another way, or revoked. Every change is a leaf of the log, which says who and never what.
 */
import { Problem } from '../problems.ts'
import { resourceLeaf } from './log-leaves.ts'
import { keyMistake } from './operate.ts'
import type { KnownResource, Resource, ResourceVersion } from './release-ports.ts'
import { LARGEST_SECRET } from './resource-name.ts'
import {
  type ResourceSettings,
  type SettingsChange,
  sameSettings,
  settledBy,
} from './resource-settings.ts'
import { openResource, sealResource } from './sealed-resource.ts'
import type { Verifier } from './verifier.ts'

export type ResourceRoom = Pick<Verifier, 'store' | 'random' | 'journal' | 'keyEncryption'>

export interface ResourcePut {
  readonly tenant: string
  /** As RESOURCE_NAME has it. */
  readonly name: string
  readonly settings: SettingsChange
  /** Undefined: as it is, for another way to have it. */
  readonly secret: Uint8Array | undefined
  /** Name of the operator. */
  readonly by: string
  /** Number of the newest version that the operator knows of; 0: there is none. Undefined: whichever it is. */
  readonly after?: number | undefined
}

export interface PutResource {
  readonly resource: Resource
  readonly version: ResourceVersion
  readonly change: 'added' | 'rotated' | 'changed'
}

/** Somebody else puts versions meanwhile. */
const MOST_TRIES = 3

/**
 * Throws Problem: `request-malformed`, `resource-unknown` (no secret was given and there is none), `resource-guarded`
 * (also where what is there does not open),
 * `resource-superseded`, `broker-path-taken`, 'key-encryption-unavailable', 'storage-unavailable'.
 */
export async function putResource(
  room: ResourceRoom,
  put: ResourcePut,
  at: Date,
): Promise<PutResource> {
  assertSize(put.secret)
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const known = await room.store.findResource(put.tenant, put.name)
    const newest = known?.versions[0]
    if (put.after !== undefined && put.after !== (newest?.version ?? 0))
      throw superseded(put, newest)
    const settings = settledBy(known, put.settings)
    const done = await addVersion(room, put, { known, settings, at })
    if (done) return done
  }
  throw new Problem('resource-superseded', `${put.name} was changed each time that it was read`)
}

interface Ground {
  readonly known: KnownResource | undefined
  readonly settings: ResourceSettings
  readonly at: Date
}

/** Undefined where somebody else was first. */
async function addVersion(
  room: ResourceRoom,
  put: ResourcePut,
  { known, settings, at }: Ground,
): Promise<PutResource | undefined> {
  const { tenant, name, by } = put
  const { random, keyEncryption, journal } = room
  const after = known?.versions[0]?.version ?? 0
  if (put.secret === undefined) assertOther(put, known, settings)
  const held = await heldSecret(room, known)
  const secret = put.secret ?? held
  if (!secret) throw new Problem('resource-unknown', `version ${after} of ${name} is gone`)
  const mistake = keyMistake(settings.use, secret)
  if (mistake !== undefined) throw new Problem('request-malformed', `secret: ${mistake}`)
  const change = put.secret === undefined ? 'changed' : known ? 'rotated' : 'added'
  const resource: Resource = { tenant, name, ...settings, revision: (known?.revision ?? 0) + 1 }
  // Who put the secret there may not agree to its release, whoever changes meanwhile how it may be had: he is in the log.
  const createdBy = put.secret === undefined ? (known?.versions[0]?.createdBy ?? by) : by
  const version = { version: after + 1, createdAt: at, createdBy, revokedAt: undefined }
  const [encryption] = keyEncryption
  const sealed = await sealResource(
    { tenant, name, version: version.version },
    { secret, settings, origin: { createdBy, agreementKey: random.bytes(32) } },
    { encryption, random },
  )
  held?.fill(0)
  const news = { tenant, name, change, versions: [version.version], settings, by, at } as const
  const outcome = await room.store.addResourceVersion(
    {
      resource,
      version: { ...version, sealed },
      after,
      // A secret that is revoked meanwhile must not come back under another number.
      carries: put.secret === undefined ? after : undefined,
    },
    resourceLeaf(news, random),
  )
  if (outcome === 'path-taken')
    throw new Problem(
      'broker-path-taken',
      `another resource of ${tenant} is at ${settings.brokerPath}`,
    )
  if (outcome === 'superseded') return undefined
  journal.record({
    event: 'resource.put',
    at,
    fields: { tenant, resource: name, version: version.version, change, by },
  })
  return { resource, version, change }
}

/** Another way to have what is there. */
function assertOther(
  { name }: ResourcePut,
  known: KnownResource | undefined,
  settings: ResourceSettings,
): void {
  const newest = known?.versions[0]
  if (!known || !newest)
    throw new Problem('resource-unknown', `there is no ${name} yet, and no secret was given`)
  if (newest.revokedAt)
    throw new Problem(
      'request-malformed',
      `secret: version ${newest.version} of ${name} is revoked, so that another secret is needed`,
    )
  if (sameSettings(known, settings))
    throw new Problem('request-malformed', `secret: ${name} has these settings already`)
}

/**
 * Of the newest version that is good; undefined where none is. Opened also for another secret to take its place: what the
 * database says of the resource is sealed with that one, and must not be looser than what was sealed before.
 */
async function heldSecret(
  { store, keyEncryption }: ResourceRoom,
  known: KnownResource | undefined,
): Promise<Uint8Array | undefined> {
  const good = known?.versions.find(({ revokedAt }) => !revokedAt)
  if (!known || !good) return undefined
  const { tenant, name } = known
  const kept = await store.sealedVersion(tenant, name, good.version)
  if (!kept || kept.revokedAt) return undefined
  const { sealed, version, createdBy } = kept
  const named = { tenant, name, version }
  try {
    const stored = { sealed, settings: known, createdBy }
    return (await openResource(named, stored, keyEncryption)).secret
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    // Nothing secret: which version it is, and what is looser or which keys there are.
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Problem('resource-guarded', reason, { cause })
  }
}

function assertSize(secret: Uint8Array | undefined): void {
  if (secret === undefined || (secret.length > 0 && secret.length <= LARGEST_SECRET)) return
  throw new Problem(
    'request-malformed',
    `secret: has ${secret.length} bytes, and 1 to ${LARGEST_SECRET} are kept`,
  )
}

function superseded({ name, after }: ResourcePut, newest: ResourceVersion | undefined): Problem {
  const is = newest ? `version ${newest.version} is the newest` : 'there is none'
  const thought = after === 0 ? 'none was expected' : `${after} was expected`
  return new Problem('resource-superseded', `${name}: ${is}, where ${thought}`)
}
