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
  isSealed,
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

export interface CountedApproval {
  readonly known: ReleaseApproval
  /** What the release is to be recorded with. */
  readonly recorded: NonNullable<RecordedRelease['approval']>
}

/** By the rows alone: `assertSealed` is for when the secret is open. Throws Problem('release-approval-needed'). */
export async function approvalFor(
  { store }: Pick<Verifier, 'store'>,
  question: ApprovalQuestion,
): Promise<CountedApproval | undefined> {
  const { subject, approvals, createdBy, proof, at } = question
  if (approvals === 0) return undefined
  const id = approvalId(subject)
  const known = await store.findApproval(id)
  if (known && known.expiresAt > at) {
    const atLeast = agreeingNeeded(known, { approvals, createdBy })
    if (known.approvedBy.length >= atLeast) return { known, recorded: { id, atLeast } }
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

/**
 * Whoever can write the database can write agreements, and seal none. What was sealed before agreements were has no key for them.
 * Throws.
 */
export function assertSealed(
  known: ReleaseApproval,
  {
    agreementKey,
    approvals,
    createdBy,
    at,
  }: Pick<ApprovalQuestion, 'approvals' | 'createdBy' | 'at'> & {
    readonly agreementKey: Uint8Array | undefined
  },
): void {
  if (!agreementKey) return
  const good = known.approvedBy.filter(
    (each) => each.operator !== createdBy && isSealed(known.id, each, { agreementKey, at }),
  )
  if (good.length >= approvals) return
  const others = known.approvedBy.filter((each) => !good.includes(each))
  throw new Error(
    `release ${known.id} of ${known.resource} (tenant ${known.tenant}): the agreement of ${others.map(({ operator }) => operator).join(', ')} is not sealed by this service. The database was altered, or a replica of an older version took it: they may agree again`,
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
