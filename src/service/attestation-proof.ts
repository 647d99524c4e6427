/**
 * Did the holder of the attested signing key send this very request? The `Attestation-Proof` header is a compact JWS over
 * challenge, body digest and address. Without it, whoever relays evidence could put other fields beside it.
 */
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { PROOF_TYPE, type ProofPayload } from '../rats/attestation-proof.ts'
import type { PublicKey } from '../rats/public-key.ts'
import { decodeCompactJws, isSignedByEs256 } from '../token/compact-jws.ts'
import { importPublicKey } from './public-key.ts'

/** `bodySha256` is over the body as received, and `htu` the public address of the endpoint. */
export interface ExpectedProof extends ProofPayload {
  readonly jwk: PublicKey
}

/** Strict on purpose: a header that says more (`crit`, `jwk`, `b64`) means more than is checked here. */
const headerSchema = z.strictObject({ alg: z.literal('ES256'), typ: z.literal(PROOF_TYPE) })
const payloadSchema = z.strictObject({ nonce: z.string(), bodySha256: z.string(), htu: z.string() })

/** Throws Problem('request-malformed') that says which part of the proof is wrong. */
export function assertProof(proof: string, expected: ExpectedProof): void {
  const key = importPublicKey('jwk', expected.jwk)
  const opened = decodeCompactJws(proof)
  // Whatever the header says, this key signed with ES256 or the proof is none.
  if (!opened || !isSignedByEs256(opened, key))
    throw wrong('it is not a compact JWS that the key in "jwk" signed with ES256')
  const { header, payload } = opened
  if (!headerSchema.safeParse(header).success)
    throw wrong(`its header must be exactly {"alg":"ES256","typ":"${PROOF_TYPE}"}`)
  const parsed = payloadSchema.safeParse(payload)
  if (!parsed.success) throw wrong('its payload must be exactly {nonce, bodySha256, htu}, all text')
  for (const name of ['nonce', 'bodySha256', 'htu'] as const)
    if (parsed.data[name] !== expected[name])
      throw wrong(`its ${name} is not that of this request, which is ${expected[name]}`)
}

function wrong(reason: string): Problem {
  return new Problem(
    'request-malformed',
    `the Attestation-Proof header does not prove it: ${reason}`,
  )
}
