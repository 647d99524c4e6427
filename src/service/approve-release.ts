/**
 * `POST /v1/release-approvals/{id}`: an operator agrees that one agent's key may have one version of a resource. Whoever put
 * that version or the newest one there is not counted: it takes others to give it out.
 */
import { Problem } from '../problems.ts'
import { type Agreement, agreementSeal } from '../release/approval.ts'
import { approvalLeaf } from './log-leaves.ts'
import type { KnownResource, ReleaseApproval } from './release-ports.ts'
import { openResource } from './sealed-resource.ts'
import type { Verifier } from './verifier.ts'

type ApprovalRoom = Pick<Verifier, 'store' | 'random' | 'journal' | 'keyEncryption'>

export interface JudgedApproval {
  readonly approval: ReleaseApproval
  /** How many operators must agree; undefined where the resource is gone. */
  readonly needed: number | undefined
}

/**
 * Throws Problem: `approval-unknown` (or over, or about what is revoked), `approval-own-version`. Throws where the version does not
 * open, or its row was altered. Who agrees twice agrees once.
 */
export async function approveRelease(
  room: ApprovalRoom,
  { id, operator }: { readonly id: string; readonly operator: string },
  at: Date,
): Promise<JudgedApproval> {
  const { store, random, journal } = room
  const asked = await store.findApproval(id)
  if (!asked || asked.expiresAt <= at) throw unknown()
  const resource = await store.findResource(asked.tenant, asked.resource)
  assertIndependent(asked, resource, operator)
  const needed = resource?.approvals
  const seal = await sealOf(room, { asked, resource, agreement: { operator, at } })
  const own = asked.approvedBy.find((each) => each.operator === operator)
  if (own && (own.seal !== undefined || seal.seal === undefined)) return { approval: asked, needed }
  const leaf = approvalLeaf(asked, { operator, at }, random)
  const approval = await store.approveRelease(id, { operator, at, ...seal }, leaf)
  if (!approval) throw unknown()
  const { tenant, version, environment, agent } = approval
  journal.record({
    event: 'release.approved',
    at,
    fields: { tenant, resource: approval.resource, version, environment, agent, by: operator },
  })
  return { approval, needed }
}

interface Agreeing {
  readonly asked: ReleaseApproval
  readonly resource: KnownResource | undefined
  readonly agreement: Agreement
}

/** Of a version that was sealed before agreements were: none. */
async function sealOf(
  { store, keyEncryption }: ApprovalRoom,
  { asked, resource, agreement }: Agreeing,
): Promise<Pick<Agreement, 'seal'>> {
  const { id, tenant, resource: name, version } = asked
  const kept = await store.sealedVersion(tenant, name, version)
  if (!kept || kept.revokedAt || !resource) throw revoked(asked)
  const { sealed, createdBy } = kept
  const stored = { sealed, settings: resource, createdBy }
  const named = { tenant, name, version }
  const { secret, agreementKey } = await openResource(named, stored, keyEncryption)
  secret.fill(0)
  return agreementKey ? { seal: agreementSeal(id, agreement, agreementKey) } : {}
}

function assertIndependent(
  asked: ReleaseApproval,
  resource: KnownResource | undefined,
  operator: string,
): void {
  const wanted = resource?.versions.find((each) => each.version === asked.version)
  if (!wanted || wanted.revokedAt) throw revoked(asked)
  const own = [wanted, resource?.versions[0]].find((each) => each?.createdBy === operator)
  if (own)
    throw new Problem(
      'approval-own-version',
      `${operator} put version ${own.version} of ${asked.resource}`,
    )
}

function revoked({ resource, version }: ReleaseApproval): Problem {
  return new Problem('approval-unknown', `version ${version} of ${resource} is given to nobody`)
}

function unknown(): Problem {
  return new Problem('approval-unknown', 'nobody asks under this id, or the time to agree is over')
}
