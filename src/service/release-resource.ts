/**
 * `POST /v1/releases` and `POST /v1/operations`: a secret leaves, or a key that stays does one thing, for whoever may have it
 * now; the result is sealed to the attested key. What it rests on is looked at once more in the transaction that records it, and
 * nothing leaves before that is durable.
 */
import { toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { PublicKey } from '../rats/public-key.ts'
import type { Assurance } from '../rats/trust-vector.ts'
import type { VersionRequest } from '../release/choose-version.ts'
import { type Lease, leaseFrom } from '../release/lease.ts'
import { sealRelease } from '../seal/release-envelope.ts'
import { signJwt } from '../token/issuer.ts'
import { assertAttestedKey, entitledTo, type HolderRequest, provenHolder } from './entitled.ts'
import { releaseLeaf } from './log-leaves.ts'
import { offerOf } from './offered-version.ts'
import { type Operation, operate } from './operate.ts'
import type { ProvenPossession } from './possession.ts'
import { approvalFor, assertSealed } from './release-approval.ts'
import type {
  HeardSession,
  RecordedRelease,
  ReleaseRecord,
  Resource,
  ResourceUse,
} from './release-ports.ts'
import { refusalProblem } from './release-refusal.ts'
import { type OpenedResource, openResource } from './sealed-resource.ts'
import { sessionGround } from './session-ground.ts'
import { type Call, uuid, type Verifier } from './verifier.ts'

export interface ReleaseRequest extends HolderRequest, VersionRequest {
  /** Name of the resource. */
  readonly resource: string
  /** What leaves is sealed to it: the key that the evidence was bound to. */
  readonly encJwk: PublicKey
}

export interface OperationRequest extends ReleaseRequest {
  readonly operation: Operation
  readonly input: Uint8Array
}

export interface Released {
  /** Id of the release. */
  readonly release: string
  readonly resource: string
  readonly version: number
  readonly use: ResourceUse
  /** A JWS (seal/release-envelope.ts). */
  readonly envelope: string
  /** Undefined for an operation: its result is the agent's. */
  readonly lease: Lease | undefined
  /** Hex: the leaf of the transparency log that answers for it. */
  readonly logLeaf: string
}

export async function releaseResource(
  verifier: Verifier,
  request: ReleaseRequest,
  call: Call,
): Promise<Released> {
  return await handOut(verifier, { request, use: 'release', make: (secret) => secret }, call)
}

/** The same in every respect: checked, counted, recorded and logged as a release is. */
export async function operateInPlace(
  verifier: Verifier,
  request: OperationRequest,
  call: Call,
): Promise<Released> {
  const { operation, input } = request
  const make = async (key: Uint8Array) => await operate(operation, key, input)
  return await handOut(verifier, { request, use: operation, make }, call)
}

interface Handing {
  readonly request: ReleaseRequest
  readonly use: ResourceUse
  /** From the secret to what leaves. */
  readonly make: (secret: Uint8Array) => Promise<Uint8Array> | Uint8Array
}

/** Operators change resources meanwhile, and what is held of them may be of before. */
const MOST_TRIES = 3

/** Throws Problem. */
async function handOut(verifier: Verifier, handing: Handing, call: Call): Promise<Released> {
  const { request } = handing
  const { resource } = request
  const holder = await provenHolder(verifier, request, call)
  assertAttestedKey(holder, request.encJwk)
  // Before anything is told of the resource.
  const session = await sessionGround(verifier, holder.record, call)
  const { assurance } = await entitledTo(verifier, holder, { resource, call })
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const released = await attempt(verifier, { ...handing, holder, assurance, session }, call)
    if (released) return released
    verifier.resources.forget(holder.tenant.name, resource)
  }
  throw new Problem('resource-changed', `${resource} was changed each time that it was read`)
}

interface Attempt extends Handing {
  readonly holder: ProvenPossession
  readonly assurance: Assurance
  /** Of the token; undefined where it is of none. */
  readonly session: HeardSession | undefined
}

/** Undefined where the resource is another than what was held of it. */
async function attempt(
  verifier: Verifier,
  { request, use, make, holder, assurance, session }: Attempt,
  call: Call,
): Promise<Released | undefined> {
  const { record, proof } = holder
  const { tenant, environment, agent, jkt } = record
  const { resource, version } = await offerOf(verifier, {
    ...request,
    ...{ tenant, use, assurance, isInSession: session !== undefined },
  })
  const { name, approvals } = resource
  const subject = { tenant, resource: name, version: version.version, environment, agent, jkt }
  const { createdBy } = version
  const { at } = call
  const approval = await approvalFor(verifier, { subject, approvals, createdBy, proof, at })
  const opened = await openedOf(verifier, resource, version.version)
  if (!opened) return undefined
  const { secret, agreementKey } = opened
  let leaving: Uint8Array | undefined
  try {
    if (approval) assertSealed(approval.known, { agreementKey, approvals, createdBy, at })
    leaving = await make(secret)
    const ground = { resource, version: version.version, approval: approval?.recorded }
    return await recordedAndSealed(
      verifier,
      { request, use, holder, session, ground, leaving },
      call,
    )
  } finally {
    secret.fill(0)
    leaving?.fill(0)
  }
}

interface Leaving extends Omit<Attempt, 'make' | 'assurance'> {
  readonly ground: {
    readonly resource: Resource
    readonly version: number
    readonly approval: RecordedRelease['approval']
  }
  readonly leaving: Uint8Array
}

/**
 * Whoever holds the key-encryption key, and the database, take their time, and a policy that comes into force meanwhile counts:
 * what it refuses is not recorded, or was, and does not leave. Undefined as above.
 */
async function recordedAndSealed(
  verifier: Verifier,
  { request, use, holder, session, ground, leaving }: Leaving,
  call: Call,
): Promise<Released | undefined> {
  const { at, requestId } = call
  const { record, proof, issuer } = holder
  const { tenant, environment, agent, jkt, jti } = record
  const { resource, version, approval } = ground
  const { name, leaseSeconds, revision, releasesPerMinute } = resource
  const { policy } = await entitledTo(verifier, holder, { resource: name, call })
  const lease = use === 'release' ? leaseFrom(at, leaseSeconds) : undefined
  const release = {
    ...{ id: uuid(verifier.random), tenant, resource: name, version, environment, agent, jkt },
    ...{ at, use, jti, face: 'releases' as const, leaseUntil: lease?.expiresAt },
    ...{ policyCommit: policy.commit, policyDigest: policy.digest },
  }
  const leaf = releaseLeaf(release, verifier.random)
  const logLeaf = toHex(leaf.leafHash)
  const kept = { ...release, leafHash: logLeaf }
  const recording = { release: kept, revision, proof, approval, releasesPerMinute, session, leaf }
  if (!(await isRecorded(verifier, recording))) return undefined
  await entitledTo(verifier, holder, { resource: name, call })
  report(verifier, kept, requestId)
  const { id } = release
  const envelope = await sealRelease(
    {
      ...{ issuer: issuer.url, release: id, at, resource: name, version, lease, logLeaf },
      ...{ token: jti, policy: policy.digest, proof: proof.jti },
    },
    leaving,
    {
      recipient: request.encJwk,
      sign: async (typ, claims) => await signJwt(issuer.signer('release', at), typ, claims),
    },
  )
  return { release: id, resource: name, version, use, envelope, lease, logLeaf }
}

/** Undefined where the version is gone, or was revoked since it was chosen: nothing is left of it to open. */
async function openedOf(
  { resources, keyEncryption }: Verifier,
  settings: Resource,
  version: number,
): Promise<OpenedResource | undefined> {
  const { tenant, name } = settings
  const kept = await resources.sealed(tenant, name, version)
  if (!kept || kept.revokedAt) return undefined
  const { sealed, createdBy } = kept
  const stored = { sealed, settings, createdBy }
  return await openResource({ tenant, name, version }, stored, keyEncryption)
}

/** False where the resource is to be read again. Throws Problem for what no second try changes. */
async function isRecorded({ store }: Verifier, recorded: RecordedRelease): Promise<boolean> {
  const outcome = await store.recordRelease(recorded)
  switch (outcome) {
    case 'recorded':
      return true
    case 'resource-changed':
    case 'version-revoked':
    case 'approval-missing':
      return false
    default:
      throw refusalProblem(outcome, recorded.release)
  }
}

function report({ journal }: Verifier, release: ReleaseRecord, requestId: string): void {
  const { id, at, tenant, environment, agent, resource, version, use, face } = release
  journal.record({
    event: 'release.granted',
    at,
    requestId,
    fields: {
      ...{ release: id, tenant, environment, agent, resource, version, use, face },
      policyCommit: release.policyCommit,
    },
  })
}
