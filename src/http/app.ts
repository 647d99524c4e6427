/** The service as a web application: routes, what surrounds every answer, and an answer for whatever is no route. */
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { toBase64Url } from '../bytes/encoding.ts'
import { Problem, problemTypes } from '../problems.ts'
import { authorise, type Operator } from '../service/operators.ts'
import { publications } from '../service/publish-keys.ts'
import type { Call, Verifier } from '../service/verifier.ts'
import { openApiDocument } from './openapi.ts'
import { peerAddress } from './peer-address.ts'
import { problemOf, problemResponse } from './problem-response.ts'
import { type Asked, json, type Route } from './route.ts'
import { routesOf, type Served } from './routes.ts'

/** Keys and contract change rarely, and relying parties ask often. */
const PUBLIC = 'public, max-age=300'

type NodeContext = Context<{ readonly Bindings: HttpBindings }>
type Answer = (call: Call) => Promise<Response> | Response

export function app(served: Served): Hono<{ Bindings: HttpBindings }> {
  const { verifier } = served
  const routes = [...routesOf(served), ...publicationsOf(verifier)]
  const contract = openApiDocument({
    routes: routesOf(served),
    publicUrl: verifier.publicUrl,
    version: verifier.build,
  })
  const all = [...routes, documentRoute('/openapi.json', contract)]

  const hono = new Hono<{ Bindings: HttpBindings }>()
  for (const route of all)
    hono.on(route.method, honoPath(route), (context) =>
      answered(verifier, context, (call) => answerOf(served, route, { context, call })),
    )
  // After every route, so that what is left of its paths is another method.
  for (const [path, group] of Map.groupBy(all, honoPath)) {
    const allowed = group
      .flatMap(({ method }) => (method === 'GET' ? [method, 'HEAD'] : [method]))
      .join(', ')
    hono.all(path, (context) => answered(verifier, context, (call) => notAllowed(allowed, call)))
  }
  hono.notFound((context) =>
    answered(verifier, context, () => {
      throw new Problem('route-unknown', 'no route has this path')
    }),
  )
  return hono
}

function publicationsOf(verifier: Verifier): readonly Route[] {
  return [...publications(verifier)].map(([path, document]) => documentRoute(path, document))
}

function documentRoute(path: string, document: unknown): Route {
  return {
    method: 'GET',
    path,
    summary: 'A document that anybody may read',
    response: undefined,
    problems: [],
    answer: () => json(document, { cacheControl: PUBLIC }),
  }
}

/** `{tenant}` is `:tenant` to the router. */
function honoPath({ path }: Route): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}

/** Who asks comes before what is asked for: a stranger learns nothing about which tenants there are. */
async function answerOf(
  { operators }: Served,
  route: Route,
  { context, call }: { readonly context: NodeContext; readonly call: Call },
): Promise<Response> {
  const { raw: request } = context.req
  const operator = operatorFor(route, operators, request)
  const parameters = parametersOf(route, context)
  return await route.answer({ request, call, parameters, operator })
}

/** Throws Problem where the route needs a role. */
function operatorFor(
  { role, welcomes }: Route,
  operators: readonly Operator[],
  { headers }: Request,
): Operator | undefined {
  const authorization = headers.get('authorization') ?? undefined
  if (role) return authorise(operators, authorization, role)
  if (!welcomes || authorization === undefined) return undefined
  try {
    return authorise(operators, authorization, welcomes)
  } catch (error) {
    // No refusal of its own: what stands in front of agents may put its own tokens into this header.
    if (error instanceof Problem) return undefined
    throw error
  }
}

/** Throws Problem. The router gives percent-decoded text, or the raw one where that cannot be done. */
function parametersOf({ parameters = {} }: Route, { req }: NodeContext): Asked['parameters'] {
  const read: Record<string, string> = {}
  for (const [name, schema] of Object.entries(parameters)) {
    const parsed = schema.safeParse(req.param(name))
    if (!parsed.success) throw new Problem('route-unknown', `no route has this path: {${name}}`)
    read[name] = parsed.data
  }
  return read
}

function notAllowed(allowed: string, { requestId }: Call): Response {
  const problem = new Problem('method-unknown', `this path takes ${allowed}`)
  const response = problemResponse(problem, requestId)
  response.headers.set('allow', allowed)
  return response
}

/** The clock is read here, once, and the request gets its name. Nothing thrown below gets past here. */
async function answered(
  verifier: Verifier,
  context: NodeContext,
  answer: Answer,
): Promise<Response> {
  const { clock, random } = verifier
  const call = {
    at: clock.now(),
    requestId: toBase64Url(random.bytes(12)),
    remoteAddress: peerAddress(context.env.incoming.socket.remoteAddress),
  }
  const response = await answerOrProblem(verifier, call, answer)
  response.headers.set('x-request-id', call.requestId)
  response.headers.set('x-content-type-options', 'nosniff')
  if (!response.headers.has('cache-control')) response.headers.set('cache-control', 'no-store')
  return response
}

async function answerOrProblem(verifier: Verifier, call: Call, answer: Answer): Promise<Response> {
  try {
    return await answer(call)
  } catch (error) {
    const problem = problemOf(error)
    report(verifier, problem, call)
    return problemResponse(problem, call.requestId)
  }
}

/** Refused evidence has a line of its own, from the use case, which knows more. */
function report({ journal }: Verifier, problem: Problem, { at, requestId }: Call): void {
  const { code, detail, cause } = problem
  if (code === 'evidence-rejected') return
  const isOurs = problemTypes[code].status >= 500
  journal.record({
    event: isOurs ? 'request.failed' : 'request.refused',
    at,
    requestId,
    fields: { code, ...(isOurs && { detail }) },
    ...(isOurs && cause !== undefined && { cause }),
  })
}
