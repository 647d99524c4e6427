/** The contract of the service as OpenAPI 3.1, made once from the schemas that judge requests. */
import { z } from 'zod'
import { type ProblemCode, problemTypes } from '../problems.ts'
import { problemSchema } from './responses.ts'
import { budgetOf, isShed, type Route, type RouteHeader } from './route.ts'

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
/** What the adapter answers where it can make no request of what came. */
const addressProblems: readonly ProblemCode[] = ['request-malformed']

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
      securitySchemes: { operator: operatorScheme, agent: agentScheme },
    },
  }
}

const operatorScheme = {
  type: 'http',
  scheme: 'bearer',
  description:
    'The token of an operator whose hash stands in the operators’ file, or of the identity provider that the service is configured for. Each operation says which role it needs: viewers look, auditors also read what is private, operators look and act, secret-admins look and decide on secrets, enforcers report what they enforce.',
}

const agentScheme = {
  type: 'http',
  scheme: 'DPoP',
  description:
    'An agent’s own token of possession, with a proof by the key that it is bound to in the header DPoP (RFC 9449).',
}

/** Only where one is configured, which the contract does not know. */
const identityProblems: readonly ProblemCode[] = ['identity-provider-unavailable']
const parameterProblems: readonly ProblemCode[] = ['route-unknown']
const countedProblems: readonly ProblemCode[] = ['too-many-requests']
const shedProblems: readonly ProblemCode[] = ['overloaded']
const operatorProblems: readonly ProblemCode[] = ['operator-unauthenticated', 'operator-forbidden']

function operation(route: Route): unknown {
  const { path, method, role, request, response, problems, status = 200 } = route
  const codes = [
    ...(role ? operatorProblems : []),
    ...(role ? identityProblems : []),
    ...(request ? bodyProblems : []),
    ...(route.parameters ? parameterProblems : []),
    ...(budgetOf(route) === 'none' ? [] : countedProblems),
    ...(isShed(route) || request ? shedProblems : []),
    ...addressProblems,
    ...problems,
    ...anyProblems,
  ]
  const parameters = [
    ...pathParameters(route),
    ...queryParameters(route),
    ...(route.headers ?? []).map(headerParameter),
  ]
  return {
    operationId: operationId(method, path),
    tags: [tagOf(path)],
    summary: summaryOf(route),
    security: securityOf(route),
    ...(parameters.length > 0 && { parameters }),
    ...(request && {
      requestBody: {
        required: true,
        content: contentOf(route, request),
      },
    }),
    responses: {
      [status]: {
        description: status === 202 ? 'Heard' : 'Done',
        ...(response && {
          content: {
            // As it stands on the wire, which is what whoever reads it begins with.
            [route.responseType ?? 'application/json']: { schema: schemaOf(response, 'input') },
          },
        }),
      },
      ...problemResponses([...new Set(codes)]),
    },
  }
}

/** An empty requirement among others means that nobody needs a token; none at all, that nobody is looked at. */
function securityOf({ role, welcomes, takesAgents }: Route): readonly unknown[] {
  if (role) return [{ operator: [] }, ...(takesAgents ? [{ agent: [] }] : [])]
  if (takesAgents) return [{ agent: [] }]
  return welcomes ? [{}, { operator: [] }] : []
}

/** What groups operations where people look at them: the noun of the path. */
function tagOf(path: string): string {
  const [noun = ''] = path
    .replace(/^\/(v1|t\/[^/]+)\//, '/')
    .split('/')
    .slice(1)
  if (path.includes('/.well-known/')) return 'discovery'
  if (path.includes('/status-')) return 'status'
  return ['healthz', 'readyz'].includes(noun) ? 'health' : noun
}

function contentOf({ takesForm, requestType }: Route, request: z.ZodType): unknown {
  const content = { schema: schemaOf(request, 'input') }
  if (requestType !== undefined) return { [requestType]: content }
  return {
    'application/json': content,
    ...(takesForm && { 'application/x-www-form-urlencoded': content }),
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

function queryParameters({ query = {} }: Route): readonly unknown[] {
  return Object.entries(query).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !schema.safeParse(undefined).success,
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
