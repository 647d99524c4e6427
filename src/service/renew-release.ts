/**
 * `POST /v1/releases/{id}/renewals`: may what was released be used for longer? Everything but the approval is judged again, as
 * it was when it was released; so a lease ends, at the latest after its own length, once its agent may not have it any more.
 */
import { Problem } from '../problems.ts'
import { type Lease, leaseFrom } from '../release/lease.ts'
import { stateLease } from '../seal/lease-statement.ts'
import { signJwt } from '../token/issuer.ts'
import { entitledTo, type HolderRequest, provenHolder } from './entitled.ts'
import { offerOf } from './offered-version.ts'
import type { ReleaseRecord } from './release-ports.ts'
import { refusalProblem } from './release-refusal.ts'
import { sessionGround } from './session-ground.ts'
import type { TokenRecord } from './token-ports.ts'
import type { Call, Verifier } from './verifier.ts'

export interface RenewalRequest extends HolderRequest {
  /** Id of the release. */
  readonly release: string
}

export interface Renewed {
  readonly release: string
  readonly lease: Lease
  /** A JWS (seal/lease-statement.ts): what the agent goes by. */
  readonly statement: string
}

/** Throws Problem: `lease-unknown`, `lease-over`, and those of a release. */
export async function renewRelease(
  verifier: Verifier,
  request: RenewalRequest,
  call: Call,
): Promise<Renewed> {
  const { store, resources, journal } = verifier
  const { at, requestId } = call
  const holder = await provenHolder(verifier, request, call)
  const release = await store.findRelease(request.release)
  if (!release || !isOf(release, holder.record))
    throw new Problem('lease-unknown', 'no lease of this agent and key has this id')
  const { id, tenant, environment, agent, resource, version } = release
  const session = await sessionGround(verifier, holder.record, call)
  const judged = await entitledTo(verifier, holder, { resource, call })
  // Nothing that is recorded would notice that what is held is of before.
  resources.forget(tenant, resource)
  const isInSession = session !== undefined
  const { assurance } = judged
  const asked = { tenant, resource, use: 'release', version, minimumVersion: undefined } as const
  const { leaseSeconds } = (await offerOf(verifier, { ...asked, assurance, isInSession })).resource
  const lease = leaseFrom(at, leaseSeconds)
  const { proof, record, issuer } = holder
  const { commit: policyCommit } = judged.policy
  const until = lease.expiresAt
  const renewal = { at, until, jti: record.jti, proof, policyCommit, session }
  const outcome = await store.renewLease(id, renewal)
  if (outcome !== 'renewed') throw problemOf(outcome, release, at)
  // A policy that came into force meanwhile counts: then nothing is signed, and the agent has what it had.
  const { policy } = await entitledTo(verifier, holder, { resource, call })
  journal.record({
    event: 'release.renewed',
    at,
    requestId,
    fields: { release: id, tenant, environment, agent, resource, version },
  })
  const statement = await stateLease(
    {
      ...{ issuer: issuer.url, release: id, resource, version, at, lease },
      ...{ token: record.jti, policy: policy.digest, proof: proof.jti },
    },
    async (typ, claims) => await signJwt(issuer.signer('release', at), typ, claims),
  )
  return { release: id, lease, statement }
}

/** The key that it was released to, whatever token it has by now. A lease of the Key Broker face has no key of ours. */
function isOf(release: ReleaseRecord, token: TokenRecord): boolean {
  return (
    release.face === 'releases' &&
    release.tenant === token.tenant &&
    release.environment === token.environment &&
    release.agent === token.agent &&
    release.jkt === token.jkt
  )
}

type Refusal = Exclude<Awaited<ReturnType<Verifier['store']['renewLease']>>, 'renewed'>

function problemOf(refusal: Refusal, { resource, version }: ReleaseRecord, at: Date): Problem {
  switch (refusal) {
    case 'lease-over':
      return new Problem('lease-over', `the lease of ${resource} ended before ${at.toISOString()}`)
    case 'version-revoked':
      return new Problem(
        'resource-version-unavailable',
        `${resource}: version ${version} is revoked`,
      )
    case 'resource-changed':
      return new Problem('resource-changed', `${resource} was changed meanwhile`)
    default:
      return refusalProblem(refusal, { at, resource })
  }
}
