/**
 * Which operator speaks, and may he do that? Bearer tokens of which only the hashes are configured, and tokens of an identity
 * provider. Where a request comes from never matters.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { Problem } from '../problems.ts'

/**
 * `viewer` sees policies, drift and explanations; `auditor` also reads what is private, as the bodies of log entries are;
 * `operator` sees what viewers see and acts; `secret-admin` decides on secrets and releases; `enforcer` reports what it
 * enforces, and sees nothing.
 */
export type OperatorRole = 'viewer' | 'auditor' | 'operator' | 'secret-admin' | 'enforcer'

export const operatorRoles = [
  'viewer',
  'auditor',
  'operator',
  'secret-admin',
  'enforcer',
] as const satisfies readonly OperatorRole[]

export interface Operator {
  /** Of a line of the operators' file, or `oidc:` and the percent-encoded subject: the one can never pass for the other. */
  readonly name: string
  /** At least one. */
  readonly roles: readonly OperatorRole[]
  /** From then on nobody vouches for him any more. Absent: a line of the file, which is good until the service starts anew. */
  readonly until?: Date
}

/** One line of the operators' file. */
export interface HashedToken {
  readonly name: string
  readonly role: OperatorRole
  /** SHA-256 of the token, 32 bytes. A fast hash will do: tokens are random and long, never passwords. */
  readonly sha256: Uint8Array
}

/** Whoever else vouches for operators. */
export interface IdentityProvider {
  /**
   * Undefined for whatever is no good token of this provider, without a reason: nobody may learn which part was wrong.
   * Throws Problem('identity-provider-unavailable') where that cannot be told now.
   */
  readonly operatorOf: (token: string, at: Date) => Promise<Operator | undefined>
}

export interface OperatorDirectory {
  readonly tokens: readonly HashedToken[]
  readonly provider: IdentityProvider | undefined
}

/** Acting and reading what is private are kept apart: who does the one is not thereby trusted with the other. */
const allowed: Readonly<Record<OperatorRole, readonly OperatorRole[]>> = {
  viewer: ['viewer', 'auditor', 'operator', 'secret-admin'],
  auditor: ['auditor'],
  operator: ['operator'],
  'secret-admin': ['secret-admin'],
  enforcer: ['enforcer'],
}

/** A token of an identity provider with many groups; the headers together may have 16 KiB. */
const LONGEST_HEADER = 8 * 1024

/**
 * `authorization` is the header as received. Undefined where it names nobody; one answer for everything that can be wrong.
 * Throws Problem('identity-provider-unavailable').
 */
export async function operatorNamed(
  { tokens, provider }: OperatorDirectory,
  authorization: string | undefined,
  at: Date,
): Promise<Operator | undefined> {
  const token = tokenOf(authorization)
  const known = knownOperator(tokens, token ?? '')
  if (token === undefined) return undefined
  return known ?? (await provider?.operatorOf(token, at))
}

/** Throws Problem: `operator-unauthenticated` with one sentence for everybody unknown, `operator-forbidden` for another role. */
export function withRole(operator: Operator | undefined, needed: OperatorRole): Operator {
  if (!operator)
    throw new Problem(
      'operator-unauthenticated',
      'the request has no Authorization header with the bearer token of an operator',
    )
  if (!may(operator, needed))
    throw new Problem('operator-forbidden', `this needs the role ${needed}`)
  return operator
}

function may({ roles }: Operator, needed: OperatorRole): boolean {
  return roles.some((role) => allowed[needed].includes(role))
}

/** Takes the same time whichever operator it is, and whether there is one: what is compared is a hash that nobody can steer. */
function knownOperator(tokens: readonly HashedToken[], token: string): Operator | undefined {
  const presented = hash('sha256', token, 'buffer')
  let found: HashedToken | undefined
  for (const each of tokens)
    if (each.sha256.length === presented.length && timingSafeEqual(each.sha256, presented))
      found ??= each
  return found && { name: found.name, roles: [found.role] }
}

/** RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1). */
function tokenOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > LONGEST_HEADER) return undefined
  return /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1]
}
