/** The service as a web application: routes, what surrounds every answer, and an answer for whatever is no route. */
import type { IncomingMessage } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { toBase64Url } from '../bytes/encoding.ts'
import { Problem, type ProblemCode, problemTypes } from '../problems.ts'
import { publications } from '../service/publish-keys.ts'
import type { Call, Verifier } from '../service/verifier.ts'
import { answerRoute } from './answer-route.ts'
import { docsRoutes } from './docs-routes.ts'
import type { Drawing } from './guard/budgets.ts'
import { openApiDocument } from './openapi.ts'
import { peerAddress } from './peer-address.ts'
import { problemOf, problemResponse } from './problem-response.ts'
import { OTHER_ROUTE } from './request-counts.ts'
import type { Route } from './route.ts'
import { routesOf, type Served } from './routes.ts'
import { withHeaders } from './security-headers.ts'

/** Keys and contract change rarely, and relying parties ask often. */
const PUBLIC = 'public, max-age=300'

type NodeContext = Context<{ readonly Bindings: HttpBindings }>
type Answer = (call: Call, drawing: Drawing) => Promise<Response> | Response

export function app(served: Served): Hono<{ Bindings: HttpBindings }> {
  const { verifier } = served
  const routes = [...routesOf(served), ...publicationsOf(verifier)]
  const contract = JSON.stringify(
    openApiDocument({
      routes: routesOf(served),
      publicUrl: verifier.publicUrl,
      version: verifier.build,
    }),
  )
  const all = [...routes, documentRoute('/openapi.json', () => contract), ...docsRoutes]

  const hono = new Hono<{ Bindings: HttpBindings }>()
  for (const route of all)
    hono.on(route.method, honoPath(route), (context) =>
      answered(served, { context, path: route.path, refusal: route.refusal }, (call, drawing) =>
        answerRoute(served, route, {
          request: context.req.raw,
          incoming: context.env.incoming as IncomingMessage,
          call,
          parameter: (name) => context.req.param(name),
          drawing,
          disconnect: () => context.env.outgoing.destroy(),
        }),
      ),
    )
  // After every route, so that what is left of its paths is another method.
  for (const [path, group] of Map.groupBy(all, honoPath)) {
    const allowed = group
      .flatMap(({ method }) => (method === 'GET' ? [method, 'HEAD'] : [method]))
      .join(', ')
    hono.all(path, (context) =>
      answered(served, { context, path: OTHER_ROUTE }, async ({ requestId }, drawing) => {
        await drawing.asCaller('public')
        return notAllowed(allowed, requestId)
      }),
    )
  }
  hono.notFound((context) =>
    answered(served, { context, path: OTHER_ROUTE }, async (_, drawing) => {
      await drawing.asCaller('public')
      throw new Problem('route-unknown', 'no route has this path')
    }),
  )
  return hono
}

function publicationsOf(verifier: Verifier): readonly Route[] {
  return [...publications(verifier)].map(([path, publication]) => documentRoute(path, publication))
}

/** `text`: JSON, as it stands at an instant. */
function documentRoute(path: string, text: () => string): Route {
  return {
    method: 'GET',
    path,
    summary: 'A document that anybody may read',
    response: undefined,
    problems: [],
    answer: () =>
      new Response(text(), {
        headers: { 'content-type': 'application/json', 'cache-control': PUBLIC },
      }),
  }
}

/** `{tenant}` is `:tenant` to the router. */
function honoPath({ path }: Route): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}

function notAllowed(allowed: string, requestId: string): Response {
  const problem = new Problem('method-unknown', `this path takes ${allowed}`)
  const response = problemResponse(problem, requestId)
  response.headers.set('allow', allowed)
  return response
}

/** The clock is read here, once, and the request gets its name. Nothing thrown below gets past here. */
async function answered(
  served: Served,
  {
    context,
    path,
    refusal,
  }: { readonly context: NodeContext; readonly path: string } & Pick<Route, 'refusal'>,
  answer: Answer,
): Promise<Response> {
  const { verifier, guard, counts, traces } = served
  const { clock, random } = verifier
  const { remoteAddress } = context.env.incoming.socket
  const call = {
    at: clock.now(),
    requestId: toBase64Url(random.bytes(12)),
    remoteAddress: peerAddress(remoteAddress),
  }
  const over = counts?.begin({ method: context.req.method, path })
  const untraced = traces?.begin({
    requestId: call.requestId,
    method: context.req.method,
    route: path,
    traceparent: context.req.raw.headers.get('traceparent'),
  })
  const drawing = guard.drawn(
    guard.callerOf(remoteAddress, context.req.raw.headers.get('x-forwarded-for')),
  )
  const response = await answerOrProblem(served, call, {
    answer: () => answer(call, drawing),
    refusal,
  })
  for (const [name, value] of drawing.headers()) response.headers.set(name, value)
  over?.(response.status)
  untraced?.(response.status)
  return withHeaders(response, { requestId: call.requestId, publicUrl: verifier.publicUrl })
}

async function answerOrProblem(
  { verifier, counts }: Served,
  call: Call,
  {
    answer,
    refusal,
  }: { readonly answer: () => Promise<Response> | Response } & Pick<Route, 'refusal'>,
): Promise<Response> {
  try {
    return await answer()
  } catch (error) {
    const problem = problemOf(error)
    if (problem.code === 'overloaded') counts?.turnedAway('overload')
    report(verifier, problem, call)
    return refusal ? refusal(problem) : problemResponse(problem, call.requestId)
  }
}

/** Those have figures: a line for each would let whoever floods the service flood its log too. */
const unreported: readonly ProblemCode[] = ['too-many-requests', 'overloaded']

/** Refused evidence has a line of its own, from the use case, which knows more. */
function report({ journal }: Verifier, problem: Problem, { at, requestId }: Call): void {
  const { code, detail, cause } = problem
  if (code === 'evidence-rejected' || unreported.includes(code)) return
  const isOurs = problemTypes[code].status >= 500
  journal.record({
    event: isOurs ? 'request.failed' : 'request.refused',
    at,
    requestId,
    fields: { code, ...(isOurs && { detail }) },
    ...(isOurs && cause !== undefined && { cause }),
  })
}
