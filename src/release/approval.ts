/** What exactly do operators agree to, and have enough of them agreed? One key of one agent, and one version of one resource. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
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

export interface Agreement {
  readonly operator: string
  readonly at: Date
  /** Undefined: whoever took it had no key to seal it with. */
  readonly seal?: string | undefined
}

/** By whoever can open the version that is agreed to, base64url: who writes the database alone writes none that counts. */
export function agreementSeal(
  approval: string,
  { operator, at }: Agreement,
  agreementKey: Uint8Array,
): string {
  const statement = canonicalJson({
    kind: 'vouchsafe/release-agreement/v1',
    approval,
    operator,
    at: at.toISOString(),
  })
  return createHmac('sha256', agreementKey).update(statement).digest('base64url')
}

/** And of no question of before, of which nobody agreed anew. */
export function isSealed(
  approval: string,
  agreement: Agreement,
  { agreementKey, at }: { readonly agreementKey: Uint8Array; readonly at: Date },
): boolean {
  if (agreement.at.getTime() + APPROVAL_SECONDS * 1000 <= at.getTime()) return false
  const expected = Buffer.from(agreementSeal(approval, agreement, agreementKey))
  const given = Buffer.from(agreement.seal ?? '')
  return given.length === expected.length && timingSafeEqual(given, expected)
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
