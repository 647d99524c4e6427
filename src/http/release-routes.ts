/** The routes by which attested agents have secrets: releases, their renewals, and operations with keys that stay. */
import type { z } from 'zod'
import type { ProblemCode } from '../problems.ts'
import type { HolderRequest } from '../service/entitled.ts'
import { operateInPlace, releaseResource } from '../service/release-resource.ts'
import { renewRelease } from '../service/renew-release.ts'
import type { Verifier } from '../service/verifier.ts'
import {
  operationRequest,
  releaseId,
  releaseJson,
  releaseRequest,
  releaseResponse,
  renewalJson,
  renewalRequest,
  renewalResponse,
} from './release-requests.ts'
import { readBody } from './request-body.ts'
import { type Asked, json, type Route } from './route.ts'

const SMALL_BODY = 4 * 1024
/** The largest input in base64url, and room for the rest. */
const LARGEST_BODY = 96 * 1024

const holderProblems: readonly ProblemCode[] = [
  'possession-required',
  'possession-token-refused',
  'possession-proof-refused',
  'policy-unavailable',
  'policy-stale',
  'release-refused',
  'release-needs-hardware',
  'release-needs-session',
  'session-over',
  'resource-unknown',
  'resource-version-unavailable',
  'storage-unavailable',
]
const handedProblems: readonly ProblemCode[] = [
  ...holderProblems,
  'release-key-refused',
  'release-use-refused',
  'release-approval-needed',
  'resource-changed',
  'key-encryption-unavailable',
]

/** Agents alone ask here: by token and proof, which the use case judges. */
const agents = {
  takesAgents: true,
  budget: 'releases',
  headers: [
    {
      name: 'DPoP',
      required: true,
      description:
        'Proof of possession (RFC 9449) by the attested key, with `ath` of the token and bodySha256, base64url SHA-256 of the body.',
    },
  ],
} as const satisfies Partial<Route>

export function releaseRoutes(verifier: Verifier): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/releases',
      summary: 'A secret, sealed to the attested key that asks',
      ...agents,
      request: releaseRequest,
      largestBody: SMALL_BODY,
      response: releaseResponse,
      problems: handedProblems,
      answer: async (asked) => {
        const { value, holder } = await read(asked, releaseRequest)
        const { resource, version, minimumVersion, encJwk } = value
        const request = { ...holder, resource, version, minimumVersion, encJwk }
        return json(releaseJson(await releaseResource(verifier, request, asked.call)))
      },
    },
    {
      method: 'POST',
      path: '/v1/releases/{id}/renewals',
      parameters: { id: releaseId },
      summary: 'More time for what was released to this key',
      ...agents,
      request: renewalRequest,
      largestBody: SMALL_BODY,
      response: renewalResponse,
      problems: [
        ...holderProblems,
        'release-use-refused',
        'resource-changed',
        'lease-unknown',
        'lease-over',
      ],
      answer: async (asked) => {
        const { holder } = await read(asked, renewalRequest)
        const { id: release = '' } = asked.parameters
        return json(renewalJson(await renewRelease(verifier, { ...holder, release }, asked.call)))
      },
    },
    {
      method: 'POST',
      path: '/v1/operations',
      summary:
        'One operation with a key that never leaves; the result is sealed to the attested key',
      ...agents,
      request: operationRequest,
      largestBody: LARGEST_BODY,
      response: releaseResponse,
      problems: [...handedProblems, 'operation-refused'],
      answer: async (asked) => {
        const { value, holder } = await read(asked, operationRequest)
        const { resource, version, minimumVersion, encJwk, operation, input } = value
        const wanted = { resource, version, minimumVersion, encJwk, operation, input }
        const released = await operateInPlace(verifier, { ...holder, ...wanted }, asked.call)
        return json(releaseJson(released))
      },
    },
  ]
}

async function read<S extends z.ZodType>(
  { request, forTenant }: Asked,
  schema: S,
): Promise<{ readonly value: z.output<S>; readonly holder: HolderRequest }> {
  const { value, sha256: bodySha256 } = await readBody(request, schema)
  const { method, url, headers } = request
  const token = /^dpop +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  const proof = headers.get('dpop') ?? undefined
  return {
    value,
    holder: { possession: { token, proof, method, url, bodySha256 }, admit: forTenant },
  }
}
