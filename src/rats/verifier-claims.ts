/**
 * What does the verifier say about itself, and how does its own hardware vouch for having said so? Its claims, the bytes that
 * its evidence is bound to, and how a relying party reads them back: docs/self-attestation.md.
 */
import { createHash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'

/** All strings. Empty means "none" for `log_key` and `policy_digest`. */
export interface VerifierClaims {
  /** The relying party's own, base64url: what makes the evidence fresh. */
  readonly nonce: string
  /** Issuer URL that this is said about: one service has several. */
  readonly issuer: string
  /** Hex SHA-256 of the issuer's key set, over the bytes that it publishes at `jwks_uri` at this moment. */
  readonly jwks_sha256: string
  /** The same of its SPIFFE bundle, which alone has the keys of WIT-SVIDs. */
  readonly spiffe_bundle_sha256: string
  /** Verification key of the transparency log, as GET /v1/log/key says it. */
  readonly log_key: string
  /** `sha256:<hex>` of the policy that decides at this moment: in memory, whatever the database says. */
  readonly policy_digest: string
  /** Name and version of the program. */
  readonly build: string
  /**
   * `in-tee` only where the key-encryption key was released to an attested key. Whoever else holds that key can sign tokens
   * outside of any TEE.
   */
  readonly keys: KeyCustody
  /** RFC 3339, UTC: the service's clock, which its host may set. */
  readonly time: string
}

export type KeyCustody = 'in-tee' | 'sealed-outside'

const names = [
  'nonce',
  'issuer',
  'jwks_sha256',
  'spiffe_bundle_sha256',
  'log_key',
  'policy_digest',
  'build',
  'keys',
  'time',
] as const satisfies readonly (keyof VerifierClaims)[]

/** A URL and a log key are below 1 KiB each. */
const LARGEST_TEXT = 8 * 1024

/** The text that is hashed, sent, and hashed again as it was received. Throws TypeError for text that is not Unicode. */
export function verifierClaimsText(claims: VerifierClaims): string {
  const exactly = Object.fromEntries(names.map((name) => [name, claims[name]]))
  return new TextDecoder().decode(canonicalJson(exactly))
}

/**
 * Undefined unless the text is exactly what `verifierClaimsText` makes: then no other reader can find other claims in it. The
 * values are the sender's, and nothing is known yet but their form.
 */
export function readVerifierClaims(text: string): VerifierClaims | undefined {
  if (text.length > LARGEST_TEXT) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (!isClaims(value) || verifierClaimsText(value) !== text) return undefined
    return value
  } catch {
    // Not JSON, or not Unicode: either way nobody's claims.
    return undefined
  }
}

/** Nothing beyond these members can be there: the text that is made of them is compared with the whole. */
function isClaims(value: unknown): value is VerifierClaims {
  if (typeof value !== 'object' || value === null) return false
  const members = value as Readonly<Record<string, unknown>>
  return (
    names.every((name) => Object.hasOwn(members, name) && typeof members[name] === 'string') &&
    (members.keys === 'in-tee' || members.keys === 'sealed-outside')
  )
}

/**
 * Not the domain of agents' evidence (runtime-claims.ts): no text, whoever wrote it, has the same digest under both, so what
 * an agent's hardware said is never taken for the verifier's word, nor the other way round.
 */
const DOMAIN = 'vouchsafe/verifier-report-data/v1\0'

/** `SHA-512(domain || 0x00 || text)`, 64 bytes: all of REPORT_DATA. `text` as it was made or received, never re-encoded. */
export function verifierReportDataOf(text: string): Uint8Array {
  return new Uint8Array(createHash('sha512').update(DOMAIN).update(text, 'utf8').digest())
}
