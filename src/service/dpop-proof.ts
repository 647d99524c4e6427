/**
 * Did the holder of the key that a token is bound to send this very request? RFC 9449 section 4.3, rule by rule, but for a
 * server's nonce, which this service does not ask for: a proof's id is good once, on whichever replica.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { thumbprintOf } from '../rats/public-key.ts'
import { decodeCompactJws, isSignedByEs256 } from '../token/compact-jws.ts'
import { publicKeyOf } from './public-key.ts'

export interface DpopExpectation {
  /** RFC 9110 section 9.1: case-sensitive. */
  readonly method: string
  /** Public address of what is asked for, without query. */
  readonly address: string
  /** The access token that came with the proof. */
  readonly token: string
  /** `cnf.jkt` of that token. */
  readonly jkt: string
  /** base64url of SHA-256 over the body as received; undefined where the request has none. */
  readonly bodySha256: string | undefined
  readonly at: Date
}

/** What must be used once: the id is bounded, and nobody can use up another key's. */
export interface UnusedProof {
  readonly id: string
  /** As the agent wrote it: Unicode, at most 256 characters. */
  readonly jti: string
  readonly expiresAt: Date
}

/** The agent's clock need not agree with ours, and a proof that is a minute old is good for nothing a second time. */
const WINDOW_SECONDS = 60
/** So that a replica whose clock is behind by as much still finds the id. */
const REMEMBERED_SECONDS = 2 * WINDOW_SECONDS
/** A stock one has 500 characters. */
const LONGEST = 4096

const coordinate = z.string().max(64)
/** Members that say something about a public key are let be; a `d` makes it a private one. */
const header = z.strictObject({
  typ: z.literal('dpop+jwt'),
  alg: z.literal('ES256'),
  jwk: z.strictObject({
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    x: coordinate,
    y: coordinate,
    alg: z.unknown().optional(),
    use: z.unknown().optional(),
    kid: z.unknown().optional(),
    key_ops: z.unknown().optional(),
    ext: z.unknown().optional(),
  }),
})
/** RFC 9449 section 4.2; what else is there is not looked at. `bodySha256` is ours, as in Attestation-Proof. */
const payload = z.looseObject({
  jti: z
    .string()
    .min(1)
    .max(256)
    // It goes into what is sealed, and a lone surrogate has no bytes.
    .refine((text) => text.isWellFormed()),
  htm: z.string(),
  htu: z.string(),
  iat: z.number(),
  ath: z.string(),
  bodySha256: z.string().optional(),
})

/** Throws Problem('possession-proof-refused') that says which rule. Nothing is stored here. */
export function openDpopProof(proof: string, expected: DpopExpectation): UnusedProof {
  const jws = proof.length > LONGEST ? undefined : decodeCompactJws(proof)
  if (!jws) throw refused('it is not one compact JWT')
  const { jwk } = headerOf(jws.header)
  const claims = payload.safeParse(jws.payload)
  if (!claims.success)
    throw refused(`of its claims ${memberNames(claims.error)} is missing or not what it should be`)
  if (thumbprintOf(jwk) !== expected.jkt)
    throw refused('its key is not the one that the token is bound to (cnf.jkt)')
  const key = publicKeyOf(jwk)
  if (!key || !isSignedByEs256(jws, key)) throw refused('its own key did not sign it')
  assertRequest(claims.data, expected)
  return {
    id: createHash('sha256').update(`${expected.jkt}\0${claims.data.jti}`).digest('hex'),
    jti: claims.data.jti,
    expiresAt: new Date(claims.data.iat * 1000 + REMEMBERED_SECONDS * 1000),
  }
}

function headerOf(value: unknown): z.output<typeof header> {
  const parsed = header.safeParse(value)
  if (parsed.success) return parsed.data
  throw refused(
    `its header must be exactly typ dpop+jwt, alg ES256 and a public P-256 jwk: ${memberNames(parsed.error)} is not`,
  )
}

/** Names of ours, never what was sent. */
function memberNames({ issues: [issue] }: z.ZodError): string {
  const path = issue?.path.map(String).join('.')
  if (issue?.code === 'unrecognized_keys')
    return path ? `a further member of ${path}` : 'a further member'
  return path || 'the whole'
}

function assertRequest(
  { htm, htu, iat, ath, bodySha256 }: z.output<typeof payload>,
  expected: DpopExpectation,
): void {
  if (htm !== expected.method) throw refused(`its htm is not ${expected.method}`)
  if (!isAddress(htu, expected.address)) throw refused(`its htu is not ${expected.address}`)
  const age = expected.at.getTime() / 1000 - iat
  if (!(Math.abs(age) <= WINDOW_SECONDS))
    throw refused(
      `its iat is not within ${WINDOW_SECONDS} s of this service's clock, ${expected.at.toISOString()}`,
    )
  if (ath !== createHash('sha256').update(expected.token).digest('base64url'))
    throw refused('its ath is not that of the token')
  if (bodySha256 !== expected.bodySha256)
    throw refused(
      expected.bodySha256 === undefined
        ? 'it has a bodySha256, and the request has no body'
        : 'its bodySha256 is not that of the body',
    )
}

/** RFC 9449 section 4.3: query and fragment do not count, and spellings of one address are one (RFC 3986 section 6.2.2). */
function isAddress(htu: string, address: string): boolean {
  if (htu === address) return true
  const url = URL.parse(htu)
  return (
    url !== null &&
    url.username === '' &&
    url.password === '' &&
    `${url.origin}${url.pathname}` === address
  )
}

function refused(reason: string): Problem {
  return new Problem('possession-proof-refused', `the DPoP header does not prove it: ${reason}`)
}
