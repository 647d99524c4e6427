/**
 * What does a renewal say? A JWS by the key that signed the release, for this very question: whoever sits between agent and
 * service could otherwise keep a secret in use for as long as he likes, by answers that he makes up or has kept from before.
 */
import { z } from 'zod'
import {
  assertTimely,
  ENVELOPE_SECONDS,
  EnvelopeRefused,
  type ReleaseNames,
  verifiedPayload,
} from './release-envelope.ts'
import { leaseClaims, leaseOf, leaseSchema, type SignedLease } from './signed-lease.ts'

/** JOSE `typ`: no envelope and no token has it. */
const STATEMENT_TYPE = 'vouchsafe-lease+jwt'
/** A statement has 900 characters. */
const LONGEST_STATEMENT = 16 * 1024

/** `token`, `proof` and `policy` are those of the renewal. */
export interface RenewedLease extends ReleaseNames {
  /** URL. */
  readonly issuer: string
  /** Id of the release. */
  readonly release: string
  readonly at: Date
  readonly lease: SignedLease
}

export async function stateLease(
  { issuer, at, lease, release, resource, version, token, policy, proof }: RenewedLease,
  sign: (typ: string, claims: Readonly<Record<string, unknown>>) => Promise<string>,
): Promise<string> {
  const iat = Math.floor(at.getTime() / 1000)
  const times = { iat, exp: iat + ENVELOPE_SECONDS }
  const names = { release, resource, version, token, policy, proof }
  return await sign(STATEMENT_TYPE, { iss: issuer, ...times, ...names, lease: leaseClaims(lease) })
}

/** What the agent knows by itself. */
export interface ExpectedStatement {
  /** Members of the pinned issuer's JWK Set, of any kind. */
  readonly keys: readonly Readonly<Record<string, unknown>>[]
  /** Pinned. */
  readonly issuer: string
  /** As the envelope said it. */
  readonly release: string
  readonly resource: string
  readonly version: number
  /** `jti` of the token and of the proof that this agent sent. */
  readonly token: string
  readonly proof: string
  readonly at: Date
}

const text = z.string().max(1024)
/** Exactly these, as in an envelope. */
const claimsSchema = z.strictObject({
  iss: text,
  iat: z.int(),
  exp: z.int(),
  release: text,
  resource: text,
  version: z.int().min(1),
  token: text,
  policy: text,
  proof: text,
  lease: leaseSchema,
})

/** Throws EnvelopeRefused. */
export async function openLeaseStatement(
  statement: string,
  expected: ExpectedStatement,
): Promise<SignedLease> {
  const kind = { typ: STATEMENT_TYPE, longest: LONGEST_STATEMENT }
  const parsed = claimsSchema.safeParse(await verifiedPayload(statement, expected.keys, kind))
  if (!parsed.success) throw new EnvelopeRefused('it does not say what a renewal says')
  const claims = parsed.data
  const names = [
    ['iss', expected.issuer],
    ['release', expected.release],
    ['resource', expected.resource],
    ['version', expected.version],
    ['token', expected.token],
    ['proof', expected.proof],
  ] as const
  for (const [name, value] of names)
    if (claims[name] !== value)
      throw new EnvelopeRefused(`its ${name} is ${claims[name]}, and ${value} was expected`)
  assertTimely(claims, expected.at)
  return leaseOf(claims.lease)
}
