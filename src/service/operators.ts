/** Which operator speaks, and may he do that? Bearer tokens of which only the hashes are configured. */
import { hash, timingSafeEqual } from 'node:crypto'
import { Problem } from '../problems.ts'

/** `viewer` sees policies, drift and explanations; `operator` also acts; `enforcer` reports what it enforces, and sees nothing. */
export type OperatorRole = 'viewer' | 'operator' | 'enforcer'

export interface Operator {
  readonly name: string
  readonly role: OperatorRole
  /** SHA-256 of the token, 32 bytes. A fast hash will do: tokens are random and long, never passwords. */
  readonly sha256: Uint8Array
}

const allowed: Readonly<Record<OperatorRole, readonly OperatorRole[]>> = {
  viewer: ['viewer', 'operator'],
  operator: ['operator'],
  enforcer: ['enforcer'],
}

const LONGEST_HEADER = 1024

/**
 * `authorization` is the header as received, `needed` the role that the request calls for. Throws Problem:
 * `operator-unauthenticated` with one sentence for everything that is wrong with a token, `operator-forbidden` for a known
 * operator of another role.
 */
export function authorise(
  operators: readonly Operator[],
  authorization: string | undefined,
  needed: OperatorRole,
): Operator {
  const operator = operatorOf(operators, authorization)
  if (!operator)
    throw new Problem(
      'operator-unauthenticated',
      'the request has no Authorization header with the bearer token of an operator',
    )
  if (!allowed[needed].includes(operator.role))
    throw new Problem('operator-forbidden', `this needs the role ${needed}`)
  return operator
}

/** Takes the same time whichever operator it is, and whether there is one: what is compared is a hash that nobody can steer. */
function operatorOf(
  operators: readonly Operator[],
  authorization: string | undefined,
): Operator | undefined {
  const presented = hash('sha256', tokenOf(authorization) ?? '', 'buffer')
  let found: Operator | undefined
  for (const operator of operators)
    if (operator.sha256.length === presented.length && timingSafeEqual(operator.sha256, presented))
      found ??= operator
  return tokenOf(authorization) === undefined ? undefined : found
}

/** RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1). */
function tokenOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > LONGEST_HEADER) return undefined
  return /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1]
}
