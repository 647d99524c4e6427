/** What exactly do operators agree to, and have enough of them agreed? One key of one agent, and one version of one resource. */
import { createHash } from 'node:crypto'
import { toHex } from '../bytes/encoding.ts'
import { canonicalJson } from '../rats/canonical-json.ts'

export interface ApprovalSubject {
  readonly tenant: string
  readonly resource: string
  readonly version: number
  readonly environment: string
  readonly agent: string
  /** Thumbprint of the attested signing key. */
  readonly jkt: string
}

/** For a night: whoever is asked in the evening may agree in the morning. An agent that attests anew has another key, and asks anew. */
export const APPROVAL_SECONDS = 12 * 3600

/** Everything that is agreed to, in its one byte form. */
export function approvalStatement(subject: ApprovalSubject): Uint8Array {
  const { tenant, resource, version, environment, agent, jkt } = subject
  return canonicalJson({
    kind: 'vouchsafe/release-approval/v1',
    tenant,
    resource,
    version: String(version),
    environment,
    agent,
    jkt,
  })
}

/** Hex SHA-256 of the statement: who asks twice has asked once, and an approval of one thing is one of no other. */
export function approvalId(subject: ApprovalSubject): string {
  return toHex(createHash('sha256').update(approvalStatement(subject)).digest())
}

export interface GivenApproval {
  readonly expiresAt: Date
  /** Distinct. */
  readonly approvedBy: readonly { readonly operator: string }[]
}

/**
 * How many must have agreed, for whoever counts all of them: one more where whoever put the version there is among them, who is
 * not counted.
 */
export function agreeingNeeded(
  { approvedBy }: Pick<GivenApproval, 'approvedBy'>,
  { approvals, createdBy }: { readonly approvals: number; readonly createdBy: string },
): number {
  return approvals + approvedBy.filter(({ operator }) => operator === createdBy).length
}
