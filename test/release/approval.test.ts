/** An approval is for exactly what it names, and who put a version there is not counted. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  type ApprovalSubject,
  agreeingNeeded,
  approvalId,
  approvalStatement,
} from '#src/release/approval.ts'
import { leaseFrom } from '#src/release/lease.ts'

const subject: ApprovalSubject = {
  tenant: 'default',
  resource: 'secret:db',
  version: 2,
  environment: 'prod',
  agent: 'invoice-bot',
  jkt: 'thumbprint',
}

describe('an approval', () => {
  test('is named by the SHA-256 of its statement', () => {
    expect(new TextDecoder().decode(approvalStatement(subject))).toBe(
      '{"agent":"invoice-bot","environment":"prod","jkt":"thumbprint","kind":"vouchsafe/release-approval/v1","resource":"secret:db","tenant":"default","version":"2"}',
    )
    expect(approvalId(subject)).toBe(
      createHash('sha256').update(approvalStatement(subject)).digest('hex'),
    )
  })

  test.each(Object.entries({ ...subject, version: 3 }))('of another %s is another', (name) => {
    const other = { ...subject, [name]: name === 'version' ? 3 : 'other' }
    expect(approvalId(other)).not.toBe(approvalId(subject))
  })
})

test.each([
  [2, ['anna', 'otto'], 2],
  [2, ['anna', 'mallory'], 3],
  [1, [], 1],
])('%i are needed, %j agreed: %i must have', (approvals, names, needed) => {
  const approvedBy = names.map((operator) => ({ operator }))
  expect(agreeingNeeded({ approvedBy }, { approvals, createdBy: 'mallory' })).toBe(needed)
})

test('a lease begins when it is given, and is renewed while a third of it is left', () => {
  expect(leaseFrom(new Date(1_000), 300)).toEqual({
    expiresAt: new Date(301_000),
    renewBy: new Date(201_000),
  })
})
