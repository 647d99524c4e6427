/** What must a token say before something is given for it? A policy as data, of which every member that is there must hold. */

import {
  type Assurance,
  isAtLeast,
  type Status,
  type TrustClaim,
  tierStatus,
  trustClaimNames,
} from './attestation-result.ts'
import type { AttestedClaims } from './attested-claims.ts'
import { objectOf } from './base64url.ts'
import { quoted, type Reason, type Refused, refused } from './verdict.ts'

type OneOf = string | readonly string[]

export interface RequiredClaims {
  /** Default: `affirming`. `warning` also takes evidence of which a policy waived something. */
  readonly status?: 'affirming' | 'warning'
  /** Each claim named here must have been appraised, and be at least so good. */
  readonly trustVector?: Readonly<Partial<Record<TrustClaim, 'affirming' | 'warning'>>>
  /** Default: `hardware`. `simulated` for development: such evidence is worth nothing, and its status is always contraindicated. */
  readonly assurance?: Assurance
  /** Every one of them. */
  readonly scopes?: readonly string[]
  readonly tenant?: OneOf
  readonly environment?: OneOf
  readonly agent?: OneOf
  /** The whole SPIFFE ID. */
  readonly subject?: OneOf
  /** Hex. What was launched; the verifier's policy has decided already that it may be. */
  readonly measurement?: OneOf
  readonly tee?: OneOf
  readonly policyCommit?: OneOf
  /** As `att_policy.digest` has it. */
  readonly policyDigest?: OneOf
  /** Of the manifest: what was released before is refused. */
  readonly leastGeneration?: number
}

/** Name in the policy, what the token says of it, and what a refusal is called. Every one is matched as a whole. */
export const matched = [
  ['tenant', 'tenant-other', ({ tenant }) => tenant],
  ['environment', 'environment-other', ({ environment }) => environment],
  ['agent', 'agent-other', ({ agent }) => agent],
  ['subject', 'subject-other', ({ subject }) => subject],
  ['measurement', 'measurement-other', ({ measurement }) => measurement],
  ['tee', 'tee-other', ({ tee }) => tee],
  ['policyCommit', 'policy-other', ({ policy }) => policy.commit],
  ['policyDigest', 'policy-other', ({ policy }) => policy.digest],
] as const satisfies readonly (readonly [
  keyof RequiredClaims,
  Reason,
  (claims: AttestedClaims) => string,
])[]

/** Undefined: everything holds. */
export function refusalBy(required: RequiredClaims, claims: AttestedClaims): Refused | undefined {
  const assurance = required.assurance ?? 'hardware'
  if (claims.assurance !== assurance)
    return refused(
      'assurance-other',
      `its evidence is ${claims.assurance}, and ${assurance} is asked for`,
    )
  return (
    statusRefusal(required, claims) ??
    vectorRefusal(required, claims) ??
    matchRefusal(required, claims) ??
    scopeRefusal(required, claims)
  )
}

function statusRefusal(
  { status = 'affirming', assurance }: RequiredClaims,
  { earStatus }: AttestedClaims,
): Refused | undefined {
  // Whoever asks for simulated evidence gets what says of itself that it is contraindicated.
  const least: Status = assurance === 'simulated' ? 'contraindicated' : status
  if (isAtLeast(earStatus, least)) return undefined
  return refused(
    'status-insufficient',
    `its status is ${earStatus}, and at least ${least} is asked for`,
  )
}

function vectorRefusal(
  { trustVector = {} }: RequiredClaims,
  claims: AttestedClaims,
): Refused | undefined {
  for (const name of trustClaimNames) {
    const least = trustVector[name]
    if (least === undefined) continue
    const status = tierStatus(claims.trustVector[name] ?? 0)
    if (!isAtLeast(status, least))
      return refused(
        'trust-claim-insufficient',
        `its trust claim ${name} is ${status}, and at least ${least} is asked for`,
      )
  }
  return undefined
}

function matchRefusal(required: RequiredClaims, claims: AttestedClaims): Refused | undefined {
  for (const [name, reason, saidOf] of matched) {
    const allowed = required[name]
    if (allowed === undefined) continue
    const said = saidOf(claims)
    if (!listOf(allowed).includes(said))
      return refused(reason, `its ${name} is ${quoted(said)}, and not ${quoted(allowed)}`)
  }
  const { leastGeneration = 0 } = required
  if (claims.generation < leastGeneration)
    return refused(
      'generation-old',
      `its generation is ${claims.generation}, and at least ${leastGeneration} is asked for`,
    )
  return undefined
}

function scopeRefusal(
  { scopes = [] }: RequiredClaims,
  claims: AttestedClaims,
): Refused | undefined {
  const missing = scopes.filter((scope) => !claims.scopes.includes(scope))
  if (missing.length === 0) return undefined
  return refused('scope-missing', `it is not for ${quoted(missing.join(' '))}`)
}

/**
 * Throws TypeError, for policies that come from a file: an unknown member would be a requirement that nobody checks, and an
 * empty list one that nobody meets.
 */
export function assertRequiredClaims(required: RequiredClaims): void {
  if (!objectOf(required)) throw new TypeError('required must be an object')
  const { status, trustVector, assurance, scopes, leastGeneration, ...others } = required
  assertChoice('status', status, ['affirming', 'warning'])
  assertChoice('assurance', assurance, ['hardware', 'simulated'])
  if (trustVector !== undefined && !objectOf(trustVector))
    throw new TypeError('required.trustVector must be an object')
  for (const [name, least] of Object.entries(trustVector ?? {})) {
    assertChoice('trustVector', name, trustClaimNames)
    assertChoice(`trustVector.${name}`, least, ['affirming', 'warning'])
  }
  if (leastGeneration !== undefined && !Number.isSafeInteger(leastGeneration))
    throw new TypeError('required.leastGeneration must be a whole number')
  // One text would be read letter by letter, or by nobody: which scopes are meant?
  if (scopes !== undefined && !areTexts(scopes))
    throw new TypeError('required.scopes must be a list of texts')
  for (const [name, value] of Object.entries(others)) {
    if (!matched.some(([known]) => known === name))
      throw new TypeError(`required.${name} is nothing that can be required`)
    if (value !== undefined && !areTexts(listOf(value)))
      throw new TypeError(`required.${name} must be a text or a list of some`)
  }
  for (const digits of listOf(required.measurement ?? []))
    if (!/^[0-9a-f]+$/.test(digits))
      throw new TypeError(
        `required.measurement must be lower-case hex alone, not ${quoted(digits)}`,
      )
}

function assertChoice(name: string, value: unknown, choices: readonly string[]): void {
  if (value !== undefined && !choices.some((choice) => choice === value))
    throw new TypeError(
      `required.${name} must be one of ${choices.join(', ')}, not ${quoted(value)}`,
    )
}

/** Unlike their types, what comes from a file may be anything. */
function areTexts(list: unknown): boolean {
  return (
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((text) => typeof text === 'string' && text !== '')
  )
}

function listOf(value: OneOf): readonly string[] {
  return typeof value === 'string' ? [value] : value
}
