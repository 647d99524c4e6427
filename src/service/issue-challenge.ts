/** `POST /v1/challenges`: a nonce for one attestation. Nothing is stored, so asking costs the service nothing. */
import { issueChallenge } from './challenge.ts'
import { type Call, tenantNamed, type Verifier } from './verifier.ts'

export interface IssuedChallenge {
  readonly nonce: string
  readonly expiresAt: Date
}

/** Throws Problem('request-malformed') for an unknown tenant. */
export function issueAttestationChallenge(
  verifier: Verifier,
  { tenant }: { readonly tenant: string },
  { at }: Call,
): IssuedChallenge {
  tenantNamed(verifier, tenant, 'tenant')
  const { challengeKeys, random } = verifier
  return issueChallenge(challengeKeys.issuing(at), random.bytes(32), {
    purpose: 'attestation',
    tenant,
    at,
  })
}
