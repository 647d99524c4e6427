/** The routes by which relying parties ask where an issuer runs: each answers with the verifier's own fresh evidence. */
import { z } from 'zod'
import { fromBase64Url } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import { verifierAnswerJson, verifierAnswerSchema } from '../rats/verifier-answer.ts'
import { attestSelf, NO_TEE, type SelfAttesting } from '../service/self-attestation.ts'
import type { Tenant, Verifier } from '../service/verifier.ts'
import type { Issuer } from '../token/issuer.ts'
import { problemResponse } from './problem-response.ts'
import { type Asked, json, type Route } from './route.ts'

export interface SelfAttestationServed {
  readonly verifier: Verifier
  readonly self: SelfAttesting
}

const SHORTEST_NONCE = 16
const LONGEST_NONCE = 64

const nonceSchema = z
  .string(`must be there: ${SHORTEST_NONCE} to ${LONGEST_NONCE} bytes of your own in base64url`)
  .max(Math.ceil((LONGEST_NONCE * 4) / 3))
  .refine((text) => {
    const size = fromBase64Url(text)?.length ?? 0
    return size >= SHORTEST_NONCE && size <= LONGEST_NONCE
  }, `must be ${SHORTEST_NONCE} to ${LONGEST_NONCE} bytes in unpadded base64url`)
  .meta({ description: 'Chosen by chance for this request: the evidence is made for it.' })

/** One for each issuer, below its own URL. */
export function selfAttestationRoutes(served: SelfAttestationServed): readonly Route[] {
  const { verifier } = served
  return [...verifier.tenants.values()].flatMap((tenant) =>
    issuersOfTenant(tenant).map(
      (issuer): Route => ({
        method: 'GET',
        path: `${issuer.url.slice(verifier.publicUrl.length)}/.well-known/attestation`,
        query: { nonce: nonceSchema },
        summary:
          'The verifier’s own evidence over your nonce, this issuer, its keys and its log’s key',
        budget: 'public',
        response: verifierAnswerSchema,
        problems: [
          'request-malformed',
          'too-many-requests',
          'self-attestation-unavailable',
          'self-attestation-failed',
          'storage-unavailable',
        ],
        answer: async (asked) => await selfAttestation(served, { tenant, issuer }, asked),
      }),
    ),
  )
}

function issuersOfTenant({ issuers: { hardware, simulated } }: Tenant): readonly Issuer[] {
  return simulated ? [hardware, simulated] : [hardware]
}

async function selfAttestation(
  { verifier, self }: SelfAttestationServed,
  subject: { readonly tenant: Tenant; readonly issuer: Issuer },
  { call, query: { nonce } }: Asked,
): Promise<Response> {
  if (nonce === undefined) throw new Problem('request-malformed', 'the query has no nonce')
  if (!self.attester)
    // Not thrown: that would be a line in the log for every stranger who asks what this machine never could do.
    return problemResponse(new Problem('self-attestation-unavailable', NO_TEE), call.requestId)
  return json(
    verifierAnswerJson(await attestSelf(verifier, self, { ...subject, nonce, at: call.at })),
  )
}
