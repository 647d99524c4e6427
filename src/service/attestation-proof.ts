/**
 * Did the holder of the attested signing key send this very request? The `Attestation-Proof` header is a compact JWS over
 * challenge, body digest and address. Without it, whoever relays evidence could put other fields beside it.
 */
import { compactVerify } from 'jose'
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { PROOF_TYPE, type ProofPayload } from '../rats/attestation-proof.ts'
import type { PublicKey } from '../rats/public-key.ts'
import { importPublicKey } from './public-key.ts'

/** `bodySha256` is over the body as received, and `htu` the public address of the endpoint. */
export interface ExpectedProof extends ProofPayload {
  readonly jwk: PublicKey
}

/** Strict on purpose: a header that says more (`crit`, `jwk`, `b64`) means more than is checked here. */
const headerSchema = z.strictObject({ alg: z.literal('ES256'), typ: z.literal(PROOF_TYPE) })
const payloadSchema = z.strictObject({ nonce: z.string(), bodySha256: z.string(), htu: z.string() })

/** Throws Problem('request-malformed') that says which part of the proof is wrong. */
export async function assertProof(proof: string, expected: ExpectedProof): Promise<void> {
  const { header, payload } = await openProof(proof, expected.jwk)
  if (!headerSchema.safeParse(header).success)
    throw wrong(`its header must be exactly {"alg":"ES256","typ":"${PROOF_TYPE}"}`)
  const parsed = payloadSchema.safeParse(payload)
  if (!parsed.success) throw wrong('its payload must be exactly {nonce, bodySha256, htu}, all text')
  for (const name of ['nonce', 'bodySha256', 'htu'] as const)
    if (parsed.data[name] !== expected[name])
      throw wrong(`its ${name} is not that of this request, which is ${expected[name]}`)
}

async function openProof(
  proof: string,
  jwk: PublicKey,
): Promise<{ readonly header: unknown; readonly payload: unknown }> {
  const key = await importPublicKey('jwk', jwk, 'ES256')
  try {
    const { payload, protectedHeader } = await compactVerify(proof, key, { algorithms: ['ES256'] })
    return {
      header: protectedHeader,
      payload: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)),
    }
  } catch {
    throw wrong('it is not a compact JWS that the key in "jwk" signed with ES256')
  }
}

function wrong(reason: string): Problem {
  return new Problem(
    'request-malformed',
    `the Attestation-Proof header does not prove it: ${reason}`,
  )
}
