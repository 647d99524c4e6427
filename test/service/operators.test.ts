/** An operator is known by a token, may do what the role allows, and a wrong token learns nothing. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Problem } from '#src/problems.ts'
import { authorise, type Operator, type OperatorRole } from '#src/service/operators.ts'

const entry = (name: string, role: OperatorRole, token: string): Operator => ({
  name,
  role,
  sha256: new Uint8Array(createHash('sha256').update(token).digest()),
})
const operators = [
  entry('eve', 'viewer', 'token-of-eve'),
  entry('olga', 'operator', 'token-of-olga=='),
  entry('gateway-1', 'enforcer', 'token-of-gateway'),
]

function refusal(authorization: string | undefined, needed: OperatorRole, known = operators) {
  try {
    return authorise(known, authorization, needed).name
  } catch (problem) {
    if (problem instanceof Problem) return `${problem.code}: ${problem.detail}`
    throw problem
  }
}

describe('what a role allows', () => {
  test.each([
    ['Bearer token-of-eve', 'viewer', 'eve'],
    ['Bearer token-of-eve', 'operator', 'operator-forbidden: this needs the role operator'],
    ['Bearer token-of-eve', 'enforcer', 'operator-forbidden: this needs the role enforcer'],
    ['Bearer token-of-olga==', 'viewer', 'olga'],
    ['bearer  token-of-olga==', 'operator', 'olga'],
    ['Bearer token-of-olga==', 'enforcer', 'operator-forbidden: this needs the role enforcer'],
    ['Bearer token-of-gateway', 'enforcer', 'gateway-1'],
    ['Bearer token-of-gateway', 'viewer', 'operator-forbidden: this needs the role viewer'],
  ] as const)('%s as %s: %s', (header, needed, expected) =>
    expect(refusal(header, needed)).toBe(expected),
  )
})

describe('one sentence for everything else', () => {
  test.each([
    ['no header', undefined],
    ['an empty header', ''],
    ['another scheme', 'Basic token-of-olga=='],
    ['no token', 'Bearer '],
    ['an unknown token', 'Bearer token-of-nobody'],
    ['a token and more', 'Bearer token-of-eve, token-of-olga=='],
    [
      'a hash instead of a token',
      `Bearer ${createHash('sha256').update('token-of-eve').digest('hex')}`,
    ],
    ['a very long token', `Bearer ${'a'.repeat(2000)}`],
  ])('%s', (_, header) =>
    expect(refusal(header, 'viewer')).toBe(
      'operator-unauthenticated: the request has no Authorization header with the bearer token of an operator',
    ),
  )

  test('an entry that is the hash of nothing lets nobody in', () =>
    expect(refusal(undefined, 'viewer', [entry('ghost', 'operator', '')])).toMatch(
      /^operator-unauthenticated/,
    ))
})
