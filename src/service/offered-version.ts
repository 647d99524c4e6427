/** Which version of which resource does a request get, if it may have any: judged by how the resource may be had now. */
import { Problem } from '../problems.ts'
import type { Assurance } from '../rats/trust-vector.ts'
import { chooseVersion, type VersionRequest } from '../release/choose-version.ts'
import type { KnownResource, ResourceUse, ResourceVersion } from './release-ports.ts'
import type { Verifier } from './verifier.ts'

export interface OfferRequest extends VersionRequest {
  readonly tenant: string
  readonly resource: string
  readonly use: ResourceUse
  /** Of the evidence, as it was judged for this request. */
  readonly assurance: Assurance
  /** Whether the token is of a session that is ACTIVE now. */
  readonly isInSession: boolean
}

export interface Offer {
  readonly resource: KnownResource
  readonly version: ResourceVersion
}

/**
 * Throws Problem: `resource-unknown`, `release-use-refused`, `release-needs-hardware`, `release-needs-session`,
 * `resource-version-unavailable`. What is held of a resource may be of before: nobody is refused by that, nor are operators asked.
 */
export async function offerOf(
  { resources }: Pick<Verifier, 'resources'>,
  request: OfferRequest,
): Promise<Offer> {
  const { tenant, resource: name } = request
  const held = await resources.resource(tenant, name)
  const offer = held && judged(held, request)
  if (offer && !(offer instanceof Problem) && offer.resource.approvals === 0) return offer
  resources.forget(tenant, name)
  const fresh = await resources.resource(tenant, name)
  if (!fresh) throw new Problem('resource-unknown', `there is no ${name}`)
  const judgedAgain = judged(fresh, request)
  if (judgedAgain instanceof Problem) throw judgedAgain
  return judgedAgain
}

function judged(resource: KnownResource, request: OfferRequest): Offer | Problem {
  const { name, use, requiresSession, versions } = resource
  if (use !== request.use)
    return new Problem(
      'release-use-refused',
      `${name} is there to ${use}, and not to ${request.use}`,
    )
  const refusal = simulatedRefusal(resource, request.assurance)
  if (refusal) return refusal
  if (requiresSession && !request.isInSession)
    return new Problem(
      'release-needs-session',
      `${name} is given only inside a session, and the token is of none`,
    )
  const choice = chooseVersion(versions, request)
  return 'chosen' in choice
    ? { resource, version: choice.chosen }
    : new Problem('resource-version-unavailable', `${name}: ${choice.none}`)
}

/** On every face, and undefined where it may have it. A simulated vendor signs whatever whoever holds its keys wants signed. */
export function simulatedRefusal(
  { name, acceptsSimulated }: Pick<KnownResource, 'name' | 'acceptsSimulated'>,
  assurance: Assurance,
): Problem | undefined {
  if (assurance === 'hardware' || acceptsSimulated) return undefined
  return new Problem(
    'release-needs-hardware',
    `${name} is given only to evidence of hardware, and this evidence is ${assurance}`,
  )
}
