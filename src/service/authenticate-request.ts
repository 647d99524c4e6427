/**
 * Who asks? Before any evidence is looked at: the challenge is ours and fresh, the claims name the keys that were brought,
 * and the request was signed by one of them. All of it costs one HMAC and one P-256 verification. Throws Problem.
 */
import { Problem } from '../problems.ts'
import { type PublicKey, thumbprintOf } from '../rats/public-key.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { Recipient } from '../seal/jwe.ts'
import { assertProof } from './attestation-proof.ts'
import { openChallenge } from './challenge.ts'
import type { UsedChallenge } from './ports.ts'
import { importPublicKey } from './public-key.ts'
import { type Call, type Tenant, tenantNamed, type Verifier } from './verifier.ts'

export interface SignedRequest {
  readonly claims: RuntimeClaims
  /** Verifies the proof; `sig_jkt` is its thumbprint. */
  readonly jwk: PublicKey
  /** Receives the token; `enc_jkt` is its thumbprint, or empty when there is none. */
  readonly encJwk: PublicKey | undefined
  /** The Attestation-Proof header; undefined when it is missing. */
  readonly proof: string | undefined
  /** base64url of SHA-256 over the body as received. */
  readonly bodySha256: string
  /** Of the route, below the public address. Default: where attestations are taken that belong to no session. */
  readonly path?: string
}

export interface Requester {
  readonly tenant: Tenant
  readonly challenge: UsedChallenge
  readonly recipient: Recipient | undefined
}

export function authenticateRequest(
  verifier: Verifier,
  request: SignedRequest,
  { at }: Call,
): Requester {
  const { claims, jwk, proof, bodySha256 } = request
  const tenant = tenantNamed(verifier, claims.tenant, 'runtimeClaims.tenant')
  const context = { purpose: 'attestation', tenant: tenant.name, at } as const
  const challenge = openChallenge(verifier.challengeKeys.opening(), claims.nonce, context)

  assertThumbprint('sig_jkt', claims.sig_jkt, jwk)
  if (proof === undefined)
    throw new Problem(
      'request-malformed',
      'the Attestation-Proof header is missing: sign nonce, bodySha256 and htu with the key in "jwk"',
    )
  const htu = attestationUrl(verifier, request.path)
  assertProof(proof, { jwk, nonce: claims.nonce, bodySha256, htu })
  return { tenant, challenge, recipient: recipientOf(request) }
}

/** What a proof names as its `htu`: where the service says that it is, never what a Host header says. */
function attestationUrl({ publicUrl }: Verifier, path = '/v1/attestations'): string {
  return `${publicUrl}${path}`
}

function recipientOf({ claims, encJwk }: SignedRequest): Recipient | undefined {
  if (claims.enc_jkt === '') {
    if (encJwk) throw new Problem('request-malformed', 'enc_jwk: runtimeClaims.enc_jkt is empty')
    return undefined
  }
  if (!encJwk)
    throw new Problem(
      'request-malformed',
      'enc_jwk is missing, and runtimeClaims.enc_jkt names one',
    )
  assertThumbprint('enc_jkt', claims.enc_jkt, encJwk)
  return { key: importPublicKey('enc_jwk', encJwk), jkt: claims.enc_jkt }
}

function assertThumbprint(claim: 'sig_jkt' | 'enc_jkt', claimed: string, key: PublicKey): void {
  const actual = thumbprintOf(key)
  if (actual === claimed) return
  throw new Problem(
    'request-malformed',
    `runtimeClaims.${claim} is ${claimed}, and the key that came with it has the thumbprint ${actual}`,
  )
}
