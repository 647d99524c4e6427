/**
 * `POST /v1/release-approvals/{id}`: an operator agrees that one agent's key may have one version of a resource. Whoever put
 * that version or the newest one there is not counted: it takes others to give it out.
 */
import { Problem } from '../problems.ts'
import { approvalLeaf } from './log-leaves.ts'
import type { KnownResource, ReleaseApproval } from './release-ports.ts'
import type { Verifier } from './verifier.ts'

type ApprovalRoom = Pick<Verifier, 'store' | 'random' | 'journal'>

export interface JudgedApproval {
  readonly approval: ReleaseApproval
  /** How many operators must agree; undefined where the resource is gone. */
  readonly needed: number | undefined
}

/** Throws Problem: `approval-unknown` (or over, or about what is revoked), `approval-own-version`. Who agrees twice agrees once. */
export async function approveRelease(
  { store, random, journal }: ApprovalRoom,
  { id, operator }: { readonly id: string; readonly operator: string },
  at: Date,
): Promise<JudgedApproval> {
  const asked = await store.findApproval(id)
  if (!asked || asked.expiresAt <= at) throw unknown()
  const resource = await store.findResource(asked.tenant, asked.resource)
  assertIndependent(asked, resource, operator)
  const needed = resource?.approvals
  if (asked.approvedBy.some((each) => each.operator === operator))
    return { approval: asked, needed }
  const leaf = approvalLeaf(asked, { operator, at }, random)
  const approval = await store.approveRelease(id, { operator, at }, leaf)
  if (!approval) throw unknown()
  const { tenant, version, environment, agent } = approval
  journal.record({
    event: 'release.approved',
    at,
    fields: { tenant, resource: approval.resource, version, environment, agent, by: operator },
  })
  return { approval, needed }
}

function assertIndependent(
  { resource: name, version }: ReleaseApproval,
  resource: KnownResource | undefined,
  operator: string,
): void {
  const wanted = resource?.versions.find((each) => each.version === version)
  if (!wanted || wanted.revokedAt)
    throw new Problem('approval-unknown', `version ${version} of ${name} is given to nobody`)
  const own = [wanted, resource?.versions[0]].find((each) => each?.createdBy === operator)
  if (own)
    throw new Problem('approval-own-version', `${operator} put version ${own.version} of ${name}`)
}

function unknown(): Problem {
  return new Problem('approval-unknown', 'nobody asks under this id, or the time to agree is over')
}
