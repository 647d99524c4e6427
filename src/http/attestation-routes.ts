/** The routes for agents, and for whoever wants evidence looked at: challenges, attestations, appraisals. */
import { z } from 'zod'
import { Problem } from '../problems.ts'
import type { EndorsementParts } from '../rats/endorsements.ts'
import { appraiseEvidence } from '../service/appraise-evidence.ts'
import { type AttestationRequest, type Attested, attest } from '../service/attest.ts'
import { endorsementsOfCollateral } from '../service/endorsement-files.ts'
import { issueAttestationChallenge } from '../service/issue-challenge.ts'
import type { Verifier } from '../service/verifier.ts'
import { readBody } from './request-body.ts'
import { appraisalRequest, attestationRequest, challengeRequest } from './request-schemas.ts'
import {
  appraisalJson,
  appraisalResponse,
  attestationJson,
  attestationResponse,
  challengeJson,
  challengeResponse,
  refusalMembers,
} from './responses.ts'
import { type Asked, json, type Route } from './route.ts'

export interface AttestationsServed {
  readonly verifier: Verifier
  /** Whether a refusal quotes observed and expected values to whoever asked. */
  readonly explainRefusals: boolean
}

export function attestationRoutes(served: AttestationsServed): readonly Route[] {
  const { verifier } = served
  return [
    {
      method: 'POST',
      path: '/v1/challenges',
      summary: 'A nonce, good for one attestation',
      budget: 'challenges',
      largestBody: 4 * 1024,
      request: challengeRequest,
      response: challengeResponse,
      problems: [],
      answer: async ({ request, call, forTenant }) => {
        const { value } = await readBody(request, challengeRequest)
        await forTenant(value.tenant)
        return json(challengeJson(issueAttestationChallenge(verifier, value, call)))
      },
    },
    {
      method: 'POST',
      path: '/v1/attestations',
      summary: 'Evidence bound to a challenge and to the agent’s keys in, tokens out',
      welcomes: 'viewer',
      headers: [proofHeader],
      query: { ear: earQuery },
      request: attestationRequest,
      response: attestationResponse,
      problems: [
        'evidence-unrecognised',
        'endorsement-unreadable',
        'challenge-unknown',
        'challenge-expired',
        'challenge-used',
        'release-unknown',
        'evidence-rejected',
        'policy-unavailable',
        'policy-stale',
        'collateral-unavailable',
        'storage-unavailable',
      ],
      answer: (asked) => attestation(served, asked),
    },
    {
      method: 'POST',
      path: '/v1/appraisals',
      summary: 'Any evidence in, findings out; bound to nobody, no token',
      request: appraisalRequest,
      response: appraisalResponse,
      problems: ['evidence-unrecognised', 'endorsement-unreadable'],
      answer: async ({ request, call, forTenant }) => {
        const { value } = await readBody(request, appraisalRequest)
        await forTenant(value.tenant)
        const appraised = await appraiseEvidence(
          verifier,
          {
            ...value,
            tee: value.tee,
            at: value.at,
            profile: value.profile,
            endorsements: partsOf(value.endorsements),
          },
          call,
        )
        return json(appraisalJson(appraised))
      },
    },
  ]
}

export const earQuery = z.literal('legacy').optional().meta({
  description:
    'legacy: claims of possession and federation tokens are called as Veraison and Trustee call them (profile tag:github.com,2023:veraison/ear).',
})

export const proofHeader = {
  name: 'Attestation-Proof',
  required: true,
  description:
    'Compact JWS by the key in "jwk": header {"alg":"ES256","typ":"vouchsafe-proof+jwt"}, payload {"nonce": the challenge, "bodySha256": base64url SHA-256 of the body, "htu": the address of this endpoint}.',
} as const

async function attestation(
  { verifier, explainRefusals }: AttestationsServed,
  { request, query, call, operator, forTenant, unprovenEvidence }: Asked,
): Promise<Response> {
  const { value, sha256 } = await readBody(request, attestationRequest)
  await forTenant(value.runtimeClaims.tenant)
  const attested = await attest(verifier, requestOf(value, { request, query, sha256 }), call)
  if (attested.verdict === 'issued') return json(attestationJson(attested))
  if (!attested.isProven) await unprovenEvidence()
  throw evidenceRejected(attested, { explained: explainRefusals || operator !== undefined })
}

export function requestOf(
  value: z.output<typeof attestationRequest>,
  { request, query, sha256 }: Pick<Asked, 'request' | 'query'> & { readonly sha256: string },
): AttestationRequest {
  return {
    tee: value.tee,
    evidence: value.evidence,
    endorsements: partsOf(value.endorsements),
    claims: value.runtimeClaims,
    jwk: value.jwk,
    encJwk: value.enc_jwk,
    audiences: audiencesOf(value.audience),
    relyingPartyNonce: value.eat_nonce,
    // The query is no part of what the agent signs: whoever changes it on the way changes how claims are called, and no claim.
    earNames: query.ear === 'legacy' ? 'legacy' : '2026',
    proof: request.headers.get('attestation-proof') ?? undefined,
    bodySha256: sha256,
  }
}

export function evidenceRejected(
  attested: Extract<Attested, { readonly verdict: 'refused' }>,
  { explained }: { readonly explained: boolean },
): Problem {
  const { refusal } = attested
  return new Problem(
    'evidence-rejected',
    explained
      ? refusal.sentence
      : `refused at ${refusal.stage} by ${refusal.failing.join(', ') || 'no single check'}`,
    { members: refusalMembers(attested, { explained }) },
  )
}

function audiencesOf(audience: string | readonly string[] | undefined): readonly string[] {
  if (audience === undefined) return []
  return typeof audience === 'string' ? [audience] : audience
}

/** Certificates and lists go on as they came: the checks say what is wrong with them, and only when they are needed. */
function partsOf({
  certificates,
  crls,
  collateral,
}: z.output<typeof attestationRequest>['endorsements']): EndorsementParts {
  const none = { tcbInfos: [], qeIdentities: [] }
  if (collateral === undefined) return { certificates, crls, ...none }
  const parts = endorsementsOfCollateral('endorsements.collateral', collateral)
  return {
    ...parts,
    certificates: [...certificates, ...parts.certificates],
    crls: [...crls, ...parts.crls],
  }
}
