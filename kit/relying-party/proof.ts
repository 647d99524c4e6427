/**
 * Did the holder of the key that a token is bound to send this very request? RFC 9449 section 4.3, rule by rule, but for a
 * server's nonce: a proof is good for a minute, and once.
 */

import { thumbprintOf } from './attested-claims.ts'
import { type Json, objectOf, sha256 } from './base64url.ts'
import { type CompactJws, decodeCompactJws, importPublicKey, isSignedBy } from './compact-jws.ts'
import { quoted, type Refused, refused } from './verdict.ts'

/** What was asked for, as its receiver knows it, and not as the proof says. */
export interface ProvedRequest {
  /** RFC 9110 section 9.1: case-sensitive. */
  readonly method: string
  /** Public address, without query: an origin from your settings and the path as it was received. Never the Host header. */
  readonly url: string
  /**
   * base64url of SHA-256 over the body as received; `none` for a request without one; `not-read` where somebody behind
   * you must compare it: see Accepted.uncheckedBodySha256.
   */
  readonly bodySha256: string
}

export interface ProofExpectation extends ProvedRequest {
  readonly token: string
  /** Thumbprint of the attested key. */
  readonly thumbprint: string
  /** Whether a body must be named in the proof. Stock libraries do not name it. */
  readonly bodyDigest: 'required' | 'if-named'
  /** Seconds since 1970. */
  readonly at: number
}

export interface OpenedProof {
  /** Bounded; another key cannot use it up. */
  readonly id: string
  /** Seconds since 1970: after this it need not be remembered. */
  readonly expiresAt: number
  readonly uncheckedBodySha256: string | undefined
}

/** The agent's clock need not agree with ours. */
const WINDOW_SECONDS = 60
/** A stock one has 500 characters. */
const LONGEST = 4096

/** Whether it was used before is the caller's to ask, after everything else. */
export async function openProof(
  proof: string,
  expected: ProofExpectation,
): Promise<OpenedProof | Refused> {
  // JavaScript may bring anything.
  const jws = typeof proof === 'string' ? decodeCompactJws(proof, LONGEST) : undefined
  if (!jws) return refused('proof-malformed', 'the proof is not one compact JWT')
  const jwk = keyIn(jws)
  if (!jwk)
    return refused(
      'proof-malformed',
      'the header of the proof is not exactly typ dpop+jwt, alg ES256 and a public jwk',
    )
  // The attested key, and not just any that the request brings along.
  if ((await thumbprintOf(jwk)) !== expected.thumbprint)
    return refused(
      'proof-key-other',
      'the key of the proof is not the one that the token is bound to',
    )
  const key = await importPublicKey(jwk)
  if (!key || !(await isSignedBy(jws, key)))
    return refused('proof-signature-wrong', 'its own key did not sign the proof')
  return (await requestRefusal(jws.payload, expected)) ?? (await opened(jws.payload, expected))
}

function keyIn({ header }: CompactJws): Json | undefined {
  const { typ, alg, jwk, ...others } = header
  const key = objectOf(jwk)
  // RFC 9449 section 4.3, rule 7: whoever sends his private key is not the only one who has it.
  const isProof = typ === 'dpop+jwt' && alg === 'ES256' && Object.keys(others).length === 0
  return isProof && key && key.d === undefined ? key : undefined
}

async function requestRefusal(
  { htm, htu, iat, ath }: Json,
  { method, url, token, at }: ProofExpectation,
): Promise<Refused | undefined> {
  if (htm !== method)
    return refused('proof-method-other', `its htm is ${quoted(htm)}, and not ${method}`)
  if (typeof htu !== 'string' || !isAddress(htu, url))
    return refused('proof-address-other', `its htu is ${quoted(htu)}, and not ${quoted(url)}`)
  if (typeof iat !== 'number' || !(Math.abs(at - iat) <= WINDOW_SECONDS))
    return refused(
      'proof-stale',
      `its iat is ${quoted(iat)}, and not within ${WINDOW_SECONDS} s of ${at}`,
    )
  if (ath !== (await sha256(token)))
    return refused('proof-token-other', 'its ath is not the digest of the token')
  return undefined
}

async function opened(
  { jti, iat, bodySha256 }: Json,
  { thumbprint, bodyDigest, bodySha256: received }: ProofExpectation,
): Promise<OpenedProof | Refused> {
  if (typeof jti !== 'string' || jti === '' || jti.length > 256)
    return refused('proof-malformed', 'its jti is no text of 1 to 256 characters')
  if (bodySha256 !== undefined && typeof bodySha256 !== 'string')
    return refused('proof-malformed', 'its bodySha256 is no text')
  const isUnread = received === 'not-read'
  const named = bodySha256 ?? 'none'
  const isLetBe = bodySha256 === undefined && bodyDigest === 'if-named'
  if (!isUnread && !isLetBe && named !== received)
    return refused(
      'proof-body-other',
      `its bodySha256 is ${quoted(named)}, and the body’s ${received}`,
    )
  return {
    id: await sha256(`${thumbprint}\0${jti}`),
    // For a receiver whose clock is behind by as much.
    expiresAt: Number(iat) + 2 * WINDOW_SECONDS,
    uncheckedBodySha256: isUnread ? bodySha256 : undefined,
  }
}

/** RFC 9449 section 4.3: query and fragment do not count, and spellings of one address are one (RFC 3986 section 6.2.2). */
function isAddress(htu: string, address: string): boolean {
  if (htu === address) return true
  if (!URL.canParse(htu)) return false
  const { username, password, origin, pathname } = new URL(htu)
  return username === '' && password === '' && `${origin}${pathname}` === address
}
