/** What is served where. Each row is a route with everything about it: how it is answered, and how OpenAPI describes it. */
import type { z } from 'zod'
import { Problem, type ProblemCode } from '../problems.ts'
import type { EndorsementParts } from '../rats/endorsements.ts'
import { appraiseEvidence } from '../service/appraise-evidence.ts'
import { attest } from '../service/attest.ts'
import { endorsementsOfFile } from '../service/endorsement-files.ts'
import { issueAttestationChallenge } from '../service/issue-challenge.ts'
import type { Readiness } from '../service/readiness.ts'
import type { Call, Verifier } from '../service/verifier.ts'
import { readBody } from './request-body.ts'
import { appraisalRequest, attestationRequest, challengeRequest } from './request-schemas.ts'
import {
  appraisalJson,
  appraisalResponse,
  attestationJson,
  attestationResponse,
  challengeJson,
  challengeResponse,
  readinessResponse,
  refusalMembers,
} from './responses.ts'

export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly summary: string
  readonly request?: z.ZodType
  readonly response: z.ZodType | undefined
  /** Besides those that every route may answer with. */
  readonly problems: readonly ProblemCode[]
  readonly answer: (request: Request, call: Call) => Promise<Response> | Response
}

export interface Served {
  readonly verifier: Verifier
  /** Whether a refusal quotes observed and expected values to whoever asked. */
  readonly explainRefusals: boolean
  readonly ready: () => Promise<Readiness>
}

const NO_STORE = 'no-store'

export function routesOf({ verifier, explainRefusals, ready }: Served): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/challenges',
      summary: 'A nonce, good for one attestation',
      request: challengeRequest,
      response: challengeResponse,
      problems: [],
      answer: async (request, call) => {
        const { value } = await readBody(request, challengeRequest)
        return json(challengeJson(issueAttestationChallenge(verifier, value, call)))
      },
    },
    {
      method: 'POST',
      path: '/v1/attestations',
      summary: 'Evidence bound to a challenge and to the agent’s keys in, a token out',
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
        'collateral-unavailable',
        'storage-unavailable',
      ],
      answer: (request, call) => attestation(verifier, { request, call, explainRefusals }),
    },
    {
      method: 'POST',
      path: '/v1/appraisals',
      summary: 'Any evidence in, findings out; bound to nobody, no token',
      request: appraisalRequest,
      response: appraisalResponse,
      problems: ['evidence-unrecognised', 'endorsement-unreadable'],
      answer: async (request, call) => {
        const { value } = await readBody(request, appraisalRequest)
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
    {
      method: 'GET',
      path: '/healthz',
      summary: 'Whether the process answers',
      response: undefined,
      problems: [],
      answer: () => new Response('ok\n', { headers: { 'content-type': 'text/plain' } }),
    },
    {
      method: 'GET',
      path: '/readyz',
      summary: 'Whether an attestation could be answered now: storage, policy, and a known verdict',
      response: readinessResponse,
      problems: [],
      answer: async () => {
        const readiness = await ready()
        return json(readiness, { status: readiness.ready ? 200 : 503 })
      },
    },
  ]
}

async function attestation(
  verifier: Verifier,
  {
    request,
    call,
    explainRefusals,
  }: { readonly request: Request; readonly call: Call; readonly explainRefusals: boolean },
): Promise<Response> {
  const { value, sha256 } = await readBody(request, attestationRequest)
  const attested = await attest(
    verifier,
    {
      tee: value.tee,
      evidence: value.evidence,
      endorsements: partsOf(value.endorsements),
      claims: value.runtimeClaims,
      jwk: value.jwk,
      encJwk: value.enc_jwk,
      audience: value.audience,
      proof: request.headers.get('attestation-proof') ?? undefined,
      bodySha256: sha256,
    },
    call,
  )
  if (attested.verdict === 'issued') return json(attestationJson(attested.id, attested.issued))
  const { id, refusal } = attested
  throw new Problem(
    'evidence-rejected',
    explainRefusals
      ? refusal.sentence
      : `refused at ${refusal.stage} by ${refusal.failing.join(', ') || 'no single check'}`,
    { members: refusalMembers(id, refusal, { explained: explainRefusals }) },
  )
}

/**
 * Certificates and lists go on as they came: the checks say what is wrong with them, and only when they are needed. Intel's
 * collateral is text within text, so writing the outer object again changes no signed byte.
 */
function partsOf({
  certificates,
  crls,
  collateral,
}: z.output<typeof attestationRequest>['endorsements']): EndorsementParts {
  const none = { tcbInfos: [], qeIdentities: [] }
  if (collateral === undefined) return { certificates, crls, ...none }
  const text = new TextEncoder().encode(JSON.stringify(collateral))
  const parts = endorsementsOfFile('endorsements.collateral', text)
  return {
    ...parts,
    certificates: [...certificates, ...parts.certificates],
    crls: [...crls, ...parts.crls],
  }
}

/** `cacheControl`: nothing is kept by anybody unless it is said so. */
export function json(
  value: unknown,
  { status = 200, cacheControl = NO_STORE }: { status?: number; cacheControl?: string } = {},
): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': cacheControl },
  })
}
