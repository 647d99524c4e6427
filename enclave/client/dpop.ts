/**
 * How does an agent show that a request is its own? A DPoP proof (RFC 9449 section 4.2) for this method, address, token and body.
 * Its `jti` is also what a released secret is sealed for, so the agent must remember it until the answer came.
 */
import { createHash, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type { AgentKey } from '../attestation.ts'

export interface DpopRequest {
  readonly method: string
  /** Public address, without query. */
  readonly address: string
  /** The token of possession that goes with it. */
  readonly token: string
  /** As it is sent; undefined where the request has none. */
  readonly body?: string
  /** base64url of SHA-256 over it, where only the digest is at hand. */
  readonly bodySha256?: string
  /** By the service's clock. */
  readonly atSeconds: number
}

export interface DpopProof {
  readonly proof: string
  readonly jti: string
}

export async function dpopProof(
  { privateKey, publicKey }: AgentKey,
  { method, address, token, body, atSeconds, ...digest }: DpopRequest,
): Promise<DpopProof> {
  const bodySha256 = body === undefined ? digest.bodySha256 : sha256(body)
  const jti = randomUUID()
  const proof = await new SignJWT({
    jti,
    htm: method,
    htu: address,
    iat: Math.floor(atSeconds),
    ath: sha256(token),
    // Ours, beyond the RFC: whoever relays the request cannot ask for something else with it.
    ...(bodySha256 !== undefined && { bodySha256 }),
  })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: { ...publicKey } })
    .sign(privateKey)
  return { proof, jti }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
