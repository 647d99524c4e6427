/**
 * Have enough operators agreed that this key may have this version? Where they have not, they are asked, once for as often as
 * the agent comes back, and the agent is told under which id.
 */
import { Problem } from '../problems.ts'
import {
  APPROVAL_SECONDS,
  type ApprovalSubject,
  agreeingNeeded,
  approvalId,
} from '../release/approval.ts'
import { proofUsed } from './possession.ts'
import type { RecordedRelease, ReleaseApproval } from './release-ports.ts'
import type { Verifier } from './verifier.ts'

export interface ApprovalQuestion {
  readonly subject: ApprovalSubject
  /** How many must agree; 0: nobody need be asked. */
  readonly approvals: number
  /** Who put the version there: his word is not counted. */
  readonly createdBy: string
  /** To ask anew writes a row, and costs a proof. */
  readonly proof: { readonly id: string; readonly expiresAt: Date }
  readonly at: Date
}

/** What the release is to be recorded with. Throws Problem('release-approval-needed'). */
export async function approvalFor(
  { store }: Pick<Verifier, 'store'>,
  question: ApprovalQuestion,
): Promise<RecordedRelease['approval']> {
  const { subject, approvals, createdBy, proof, at } = question
  if (approvals === 0) return undefined
  const id = approvalId(subject)
  const known = await store.findApproval(id)
  if (known && known.expiresAt > at) {
    const atLeast = agreeingNeeded(known, { approvals, createdBy })
    if (known.approvedBy.length >= atLeast) return { id, atLeast }
  }
  if (!(await store.useOnce('dpop', proof.id, proof.expiresAt))) throw proofUsed()
  throw needed(
    await store.askApproval({
      id,
      ...subject,
      requestedAt: at,
      expiresAt: new Date(at.getTime() + APPROVAL_SECONDS * 1000),
      approvedBy: [],
    }),
    question,
  )
}

/** Names of operators are not for agents. */
function needed(
  { id, resource, version, expiresAt, approvedBy }: ReleaseApproval,
  { approvals, createdBy }: ApprovalQuestion,
): Problem {
  const agreed = approvedBy.filter(({ operator }) => operator !== createdBy).length
  return new Problem(
    'release-approval-needed',
    `${agreed} of ${approvals} operators agreed that this key may have version ${version} of ${resource}; they may until ${expiresAt.toISOString()}`,
    {
      members: {
        approval: id,
        version,
        needed: approvals,
        agreed,
        expiresAt: expiresAt.toISOString(),
        approvers: 'operators with the role secret-admin, other than who put the version there',
      },
    },
  )
}
