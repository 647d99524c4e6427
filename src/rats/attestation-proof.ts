/**
 * What the `Attestation-Proof` header says, for the agent that writes it and the verifier that reads it: a compact JWS by
 * the attested signing key, ES256, with exactly this type and these members.
 */
export const PROOF_TYPE = 'vouchsafe-proof+jwt'

export interface ProofPayload {
  /** The challenge. */
  readonly nonce: string
  /** base64url of SHA-256 over the body as it is sent. */
  readonly bodySha256: string
  /** Address that the request is sent to (RFC 9449 names it so). */
  readonly htu: string
}
