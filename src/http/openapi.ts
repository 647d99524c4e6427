/** The contract of the service as OpenAPI 3.1, made once from the schemas that judge requests. */
import { z } from 'zod'
import { type ProblemCode, problemTypes } from '../problems.ts'
import { problemSchema } from './responses.ts'
import type { Route } from './routes.ts'

export interface OpenApiRequest {
  readonly routes: readonly Route[]
  readonly publicUrl: string
  readonly version: string
}

/** What any route with a body, and what any route at all, may answer. */
const bodyProblems: readonly ProblemCode[] = [
  'request-malformed',
  'body-too-large',
  'media-type-unsupported',
]
const anyProblems: readonly ProblemCode[] = ['internal-error']

export function openApiDocument({ routes, publicUrl, version }: OpenApiRequest): unknown {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Vouchsafe',
      summary: 'Remote attestation for agents in confidential virtual machines',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: publicUrl }],
    paths,
    components: { schemas: { Problem: schemaOf(problemSchema, 'output') } },
  }
}

function operation({ path, method, summary, request, response, problems }: Route): unknown {
  const codes = [...(request ? bodyProblems : []), ...problems, ...anyProblems]
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^a-z0-9]+([a-z0-9])/gi, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    ...(path === '/v1/attestations' && { parameters: [proofHeader] }),
    ...(request && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: schemaOf(request, 'input') } },
      },
    }),
    responses: {
      200: {
        description: 'Done',
        ...(response && {
          content: { 'application/json': { schema: schemaOf(response, 'output') } },
        }),
      },
      ...problemResponses(codes),
    },
  }
}

const proofHeader = {
  name: 'Attestation-Proof',
  in: 'header',
  required: true,
  description:
    'Compact JWS by the key in "jwk": header {"alg":"ES256","typ":"vouchsafe-proof+jwt"}, payload {"nonce": the challenge, "bodySha256": base64url SHA-256 of the body, "htu": the address of this endpoint}.',
  schema: { type: 'string', maxLength: 4096 },
}

function problemResponses(codes: readonly ProblemCode[]): Readonly<Record<string, unknown>> {
  const byStatus = Map.groupBy(codes, (code) => problemTypes[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `${code}: ${problemTypes[code].title}`).join('. '),
        content: {
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        },
      },
    ]),
  )
}

/** Without `$schema`: OpenAPI 3.1 schemas are JSON Schema 2020-12 already. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _, ...made } = z.toJSONSchema(schema, { io })
  return made
}
