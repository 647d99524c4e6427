/** An operator is known by a token, may do what the role allows, and a wrong token learns nothing. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Problem } from '#src/problems.ts'
import {
  type HashedToken,
  type OperatorDirectory,
  type OperatorRole,
  operatorNamed,
  operatorRoles,
  withRole,
} from '#src/service/operators.ts'

const AT = new Date('2026-06-01T00:00:00Z')

const entry = (name: string, role: OperatorRole, token: string): HashedToken => ({
  name,
  role,
  sha256: new Uint8Array(createHash('sha256').update(token).digest()),
})
const tokens = [
  entry('eve', 'viewer', 'token-of-eve'),
  entry('anna', 'auditor', 'token-of-anna'),
  entry('olga', 'operator', 'token-of-olga=='),
  entry('sam', 'secret-admin', 'token-of-sam'),
  entry('gateway-1', 'enforcer', 'token-of-gateway'),
]
const directory: OperatorDirectory = {
  tokens,
  provider: {
    operatorOf: async (token) =>
      token === 'of.the.provider' ? { name: 'oidc:zoe', roles: ['enforcer', 'viewer'] } : undefined,
  },
}

async function refusal(
  authorization: string | undefined,
  needed: OperatorRole,
  known: OperatorDirectory = directory,
) {
  try {
    return withRole(await operatorNamed(known, authorization, AT), needed).name
  } catch (problem) {
    if (problem instanceof Problem) return `${problem.code}: ${problem.detail}`
    throw problem
  }
}

describe('what a role allows', () => {
  const may: Readonly<Record<OperatorRole, readonly OperatorRole[]>> = {
    viewer: ['viewer'],
    auditor: ['viewer', 'auditor'],
    operator: ['viewer', 'operator'],
    'secret-admin': ['viewer', 'secret-admin'],
    enforcer: ['enforcer'],
  }
  const cases = operatorRoles.flatMap((role) =>
    operatorRoles.map((needed) => [role, needed, may[role].includes(needed)] as const),
  )
  test.each(cases)('%s where %s is needed: %s', (role, needed, expected) => {
    const allowed = () => withRole({ name: 'somebody', roles: [role] }, needed)
    if (expected) expect(allowed().name).toBe('somebody')
    else expect(allowed).toThrow(`operator-forbidden: this needs the role ${needed}`)
  })

  test('of several, each', () => {
    const both = { name: 'both', roles: ['enforcer', 'auditor'] } as const
    expect(withRole(both, 'enforcer').name).toBe('both')
    expect(withRole(both, 'viewer').name).toBe('both')
    expect(() => withRole(both, 'operator')).toThrow('operator-forbidden')
  })
})

describe('who is known', () => {
  test.each([
    ['Bearer token-of-eve', 'viewer', 'eve'],
    ['bearer  token-of-olga==', 'operator', 'olga'],
    ['Bearer token-of-gateway', 'viewer', 'operator-forbidden: this needs the role viewer'],
    ['Bearer of.the.provider', 'viewer', 'oidc:zoe'],
  ] as const)('%s as %s: %s', async (header, needed, expected) =>
    expect(await refusal(header, needed)).toBe(expected),
  )

  test('a token of the file is never shown to the identity provider', async () => {
    const provider = {
      operatorOf: async () => {
        throw new Problem('identity-provider-unavailable', 'out')
      },
    }
    expect(await refusal('Bearer token-of-eve', 'viewer', { tokens, provider })).toBe('eve')
    expect(await refusal('Bearer other', 'viewer', { tokens, provider })).toMatch(
      /^identity-provider-unavailable/,
    )
  })
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
    ['a very long token', `Bearer ${'a'.repeat(9000)}`],
  ])('%s', async (_, header) =>
    expect(await refusal(header, 'viewer')).toBe(
      'operator-unauthenticated: the request has no Authorization header with the bearer token of an operator',
    ),
  )

  test('an entry that is the hash of nothing lets nobody in', async () => {
    const ghosts = { tokens: [entry('ghost', 'operator', '')], provider: undefined }
    expect(await refusal(undefined, 'viewer', ghosts)).toMatch(/^operator-unauthenticated/)
    expect(await refusal('Bearer ', 'viewer', ghosts)).toMatch(/^operator-unauthenticated/)
  })
})
