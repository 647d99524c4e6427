/** The route by which operators' services ask about one token, in the words of RFC 7662. */
import { z } from 'zod'
import { type Introspection, introspect, LONGEST_TOKEN } from '../service/introspect.ts'
import { statusListUrl } from '../service/status-lists.ts'
import type { Verifier } from '../service/verifier.ts'
import { readBody } from './request-body.ts'
import { json, type Route } from './route.ts'

const introspectionRequest = z
  // RFC 7662 section 2.1: what else stands in the request is another specification's.
  .object({
    token: z.string().min(1).max(LONGEST_TOKEN),
    token_type_hint: z.string().max(100).exactOptional(),
  })

const introspectionResponse = z.union([
  z.strictObject({ active: z.literal(false) }),
  z
    .looseObject({
      active: z.literal(true),
      token_type: z.enum(['DPoP', 'Bearer', 'WIT']),
      iss: z.string(),
      sub: z.string(),
      exp: z.int(),
      iat: z.int(),
      jti: z.string(),
    })
    .meta({ description: 'Every claim of the token besides.' }),
])

export function introspectionRoutes(verifier: Verifier): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/introspections',
      summary: 'Whether a token of this service is good now (RFC 7662)',
      role: 'viewer',
      request: introspectionRequest,
      takesForm: true,
      largestBody: 32 * 1024,
      response: introspectionResponse,
      problems: ['too-many-requests', 'storage-unavailable'],
      answer: async ({ request, call }) => {
        const { value } = await readBody(request, introspectionRequest)
        return json(introspectionJson(await introspect(verifier, value.token, call.at)))
      },
    },
  ]
}

/** What the signature covers comes last: no claim can make itself `active`. */
function introspectionJson(found: Introspection): unknown {
  if (!found.active) return { active: false }
  const { token, claims, tokenType } = found
  return {
    ...claims,
    iss: token.issuer,
    active: true,
    token_type: tokenType,
    status: {
      status_list: {
        idx: token.status.index,
        uri: statusListUrl(token.issuer, token.status.list),
      },
    },
  }
}
