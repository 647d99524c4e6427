/**
 * `GET /kbs/v0/resource/...`: a secret, sealed to the key of an attested handshake. Policy, rule and evidence are judged as
 * they are now, by the code that judges every release; the handshake says only who asks and to which key it goes.
 */
import { toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import {
  type BrokerKey,
  type FlattenedJwe,
  importBrokerKey,
  sealToBrokerKey,
} from '../seal/broker-jwe.ts'
import { boundTo } from './broker-bound.ts'
import { thumbprintOf } from './broker-key.ts'
import { attestedSession, brokerTeeOf } from './broker-session.ts'
import { tokenIdOf } from './broker-tokens.ts'
import { releaseLeaf } from './log-leaves.ts'
import { type Allowed, mayRelease, type ReleaseQuestion } from './may-release.ts'
import { simulatedRefusal } from './offered-version.ts'
import { policyNotRead } from './policy-in-force.ts'
import type {
  AttestedBrokerSession,
  KnownResource,
  ReleaseRecord,
  ReleaseRefusal,
  SealedVersion,
} from './release-ports.ts'
import { openResource } from './sealed-resource.ts'
import { type Call, type Tenant, uuid, type Verifier } from './verifier.ts'

export interface BrokerResourceRequest {
  readonly tenant: Tenant
  /** Value of the cookie. */
  readonly cookie: string | undefined
  /** Of the Authorization header. */
  readonly token: string | undefined
  /** `default/key/1` */
  readonly path: string
}

export interface BrokerRelease {
  readonly release: ReleaseRecord
  readonly sealed: FlattenedJwe
}

/**
 * Throws Problem: `broker-session-required`, `broker-handshake-refused` (of a TEE that is taken no more), `resource-unknown`
 * (nothing is served there), `release-refused`, `release-needs-hardware`, `too-many-requests`, `policy-unavailable`,
 * `policy-stale`, `key-encryption-unavailable`, `storage-unavailable`.
 */
export async function releaseForBroker(
  verifier: Verifier,
  request: BrokerResourceRequest,
  call: Call,
): Promise<BrokerRelease> {
  const { tenant, path } = request
  const session = await attestedSession(verifier, request, call)
  // What is taken no more, such as evidence that nobody signs, buys nothing either.
  brokerTeeOf(tenant, session.tee)
  const resource = await verifier.store.resourceAtBrokerPath(tenant.name, path)
  const version = resource && newestGood(resource)
  if (!resource || !version)
    throw new Problem('resource-unknown', `nothing is at ${path}, or it was revoked`)
  const { environment, agent, appraisal } = session.attested
  // attestForBroker wrote it, of a key that it had imported.
  const key = JSON.parse(session.attested.teePublicKey) as BrokerKey
  const question = {
    tenant,
    environment,
    agent,
    appraisal,
    bound: { reportData: boundTo(session, key) },
    resource: resource.name,
    face: 'key-broker',
    requestId: call.requestId,
  } as const
  // Before anything is told of it, and before the key-encryption key is asked for.
  const { assurance } = await mayRelease(verifier, question, call.at)
  assertPlain(verifier, { resource, session, assurance }, call)
  const kept = await verifier.store.sealedVersion(tenant.name, resource.name, version)
  if (!kept || kept.revokedAt)
    throw new Problem('resource-unknown', `nothing is at ${path}, or it was revoked`)
  return await released(verifier, { session, resource, kept, question }, call)
}

interface Granted {
  readonly session: AttestedBrokerSession
  readonly resource: KnownResource
  readonly kept: SealedVersion
  readonly question: ReleaseQuestion
}

/**
 * Sealed before it is recorded: what is recorded has left only when both are done. A policy that comes into force meanwhile
 * counts, as in release-resource.ts.
 */
async function released(verifier: Verifier, granted: Granted, call: Call): Promise<BrokerRelease> {
  const { session, resource, kept, question } = granted
  const { random, keyEncryption, store } = verifier
  const { tenant, name } = resource
  // attestForBroker wrote it, of a key that it had imported.
  const jwk = JSON.parse(session.attested.teePublicKey) as BrokerKey
  const key = importBrokerKey(jwk)
  if (!key) throw new Error('the key of an attested handshake is none')
  const { version, createdBy } = kept
  const { secret } = await openResource(
    { tenant, name, version },
    { sealed: kept.sealed, settings: resource, createdBy, isForBroker: true },
    keyEncryption,
  )
  const sealed = sealToBrokerKey({ jwk, key }, secret, {
    contentKey: random.bytes(32),
    iv: random.bytes(12),
  })
  secret.fill(0)
  const allowed = await mayRelease(verifier, question, call.at)
  const { environment, agent } = session.attested
  const record: Omit<ReleaseRecord, 'leafHash'> = {
    id: uuid(random),
    at: call.at,
    tenant,
    environment,
    agent,
    resource: name,
    version: kept.version,
    use: resource.use,
    jti: tokenIdOf(session.id),
    face: 'key-broker',
    jkt: thumbprintOf(jwk),
    policyCommit: allowed.policy.commit,
    policyDigest: allowed.policy.digest,
    // The protocol has no word for a lease: what the record says, the client is not told.
    leaseUntil: new Date(call.at.getTime() + resource.leaseSeconds * 1000),
  }
  const leaf = releaseLeaf(record, random)
  const release = { ...record, leafHash: toHex(leaf.leafHash) }
  const outcome = await store.recordRelease({
    release,
    revision: resource.revision,
    proof: undefined,
    approval: undefined,
    releasesPerMinute: resource.releasesPerMinute,
    leaf,
  })
  if (outcome !== 'recorded') throw refusalOf(outcome, resource)
  await mayRelease(verifier, question, call.at)
  report(verifier, release, call)
  return { release, sealed }
}

function report(
  { journal }: Pick<Verifier, 'journal'>,
  { id, tenant, environment, agent, resource, version, use, face, policyCommit }: ReleaseRecord,
  { at, requestId }: Call,
): void {
  journal.record({
    event: 'release.granted',
    at,
    requestId,
    fields: {
      ...{ release: id, tenant, environment, agent, resource, version, use, face },
      policyCommit,
    },
  })
}

function newestGood({ versions }: KnownResource): number | undefined {
  return versions.find(({ revokedAt }) => revokedAt === undefined)?.version
}

/** This face gives out secrets, at once: it knows neither operations nor approvals, and nobody watches who got them. */
function assertPlain(
  { journal }: Pick<Verifier, 'journal'>,
  {
    resource,
    session,
    assurance,
  }: Pick<Granted, 'resource' | 'session'> & Pick<Allowed, 'assurance'>,
  { at, requestId }: Call,
): void {
  const simulated = simulatedRefusal(resource, assurance)
  const reason = simulated?.detail ?? reasonAgainst(resource)
  if (reason === undefined) return
  const { environment, agent, appraisal } = session.attested
  journal.record({
    event: 'release.refused',
    at,
    requestId,
    fields: {
      ...{ tenant: resource.tenant, environment, agent, resource: resource.name, appraisal },
      ...{ face: 'key-broker', reason },
    },
  })
  throw (
    simulated ??
    new Problem('release-refused', `${resource.name} is not given out by this protocol`)
  )
}

function reasonAgainst({ use, approvals, requiresSession }: KnownResource): string | undefined {
  if (use !== 'release') return `it is there to ${use}, and never leaves`
  if (requiresSession) return 'it needs a watched session, which the Key Broker protocol has not'
  if (approvals > 0) return `${approvals} operators have to agree, whom the protocol does not ask`
  return undefined
}

/** Seconds until the minute of a resource that is given out too often is over, at most. */
const MINUTE_SECONDS = 60

function refusalOf(refusal: ReleaseRefusal, { name }: KnownResource): Problem {
  switch (refusal) {
    case 'token-revoked':
      return new Problem('broker-session-required', 'the handshake is over')
    case 'too-many-releases':
      return new Problem('too-many-requests', `${name} was given out too often in this minute`, {
        retryAfterSeconds: MINUTE_SECONDS,
      })
    case 'resource-changed':
    case 'version-revoked':
      return new Problem('release-refused', `${name} was changed meanwhile: ask again`)
    case 'policy-behind':
      return policyNotRead()
    case 'approval-missing':
    case 'session-over':
    case 'proof-used':
      throw new Error(`the store refused for want of what the protocol has not: ${refusal}`)
  }
}
