/** The contract of the service as OpenAPI 3.1, made once from the schemas that judge requests. */
import { z } from 'zod'
import { type ProblemCode, problemTypes } from '../problems.ts'
import { problemSchema } from './responses.ts'
import type { Route, RouteHeader } from './route.ts'

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
    components: {
      schemas: { Problem: schemaOf(problemSchema, 'output') },
      securitySchemes: { operator: operatorScheme },
    },
  }
}

const operatorScheme = {
  type: 'http',
  scheme: 'bearer',
  description:
    'The token of an operator whose hash stands in the operators’ file. Each operation says which role it needs: viewers look, operators look and act, enforcers report what they enforce.',
}

const operatorProblems: readonly ProblemCode[] = ['operator-unauthenticated', 'operator-forbidden']

function operation(route: Route): unknown {
  const { path, method, role, welcomes, request, response, problems, status = 200 } = route
  const codes = [
    ...(role ? operatorProblems : []),
    ...(request ? bodyProblems : []),
    ...problems,
    ...anyProblems,
  ]
  const parameters = [...pathParameters(route), ...(route.headers ?? []).map(headerParameter)]
  return {
    operationId: operationId(method, path),
    summary: summaryOf(route),
    ...(role && { security: [{ operator: [] }] }),
    // The empty one: nobody needs a token here.
    ...(welcomes && { security: [{}, { operator: [] }] }),
    ...(parameters.length > 0 && { parameters }),
    ...(request && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: schemaOf(request, 'input') } },
      },
    }),
    responses: {
      [status]: {
        description: status === 202 ? 'Heard' : 'Done',
        ...(response && {
          content: {
            [route.responseType ?? 'application/json']: { schema: schemaOf(response, 'output') },
          },
        }),
      },
      ...problemResponses([...new Set(codes)]),
    },
  }
}

function summaryOf({ summary, role, welcomes }: Route): string {
  if (role) return `${summary} (role: ${role})`
  return welcomes ? `${summary} (more is told to the role: ${welcomes})` : summary
}

/** `POST /v1/policies/{tenant}/diff` is postV1PoliciesTenantDiff. */
function operationId(method: string, path: string): string {
  const words = path.replace(/[^a-z0-9]+([a-z0-9])/gi, (_, letter: string) => letter.toUpperCase())
  return `${method.toLowerCase()}${words.replace(/[^a-z0-9]/gi, '')}`
}

function pathParameters({ parameters = {} }: Route): readonly unknown[] {
  return Object.entries(parameters).map(([name, schema]) => ({
    name,
    in: 'path',
    required: true,
    schema: schemaOf(schema, 'input'),
  }))
}

function headerParameter({ name, required, description }: RouteHeader): unknown {
  return { name, in: 'header', required, description, schema: { type: 'string', maxLength: 4096 } }
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
