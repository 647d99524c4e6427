/** The service as a web application: routes, what surrounds every answer, and an answer for whatever is no route. */
import { Hono } from 'hono'
import { toBase64Url } from '../bytes/encoding.ts'
import { Problem, problemTypes } from '../problems.ts'
import { publications } from '../service/publish-keys.ts'
import type { Call, Verifier } from '../service/verifier.ts'
import { openApiDocument } from './openapi.ts'
import { problemOf, problemResponse } from './problem-response.ts'
import { json, type Route, routesOf, type Served } from './routes.ts'

/** Keys and contract change rarely, and relying parties ask often. */
const PUBLIC = 'public, max-age=300'

export function app(served: Served): Hono {
  const { verifier } = served
  const routes = routesOf(served)
  const documents = new Map<string, unknown>([
    ...publications(verifier),
    [
      '/openapi.json',
      openApiDocument({ routes, publicUrl: verifier.publicUrl, version: verifier.build }),
    ],
  ])

  const hono = new Hono()
  const methods = new Map<string, string[]>()
  const add = (method: Route['method'], path: string, answer: Route['answer']) => {
    methods.set(path, [...(methods.get(path) ?? []), method, ...(method === 'GET' ? ['HEAD'] : [])])
    hono.on(method, path, ({ req }) => answered(verifier, req.raw, answer))
  }
  for (const { method, path, answer } of routes) add(method, path, answer)
  for (const [path, document] of documents)
    add('GET', path, () => json(document, { cacheControl: PUBLIC }))

  hono.notFound(({ req }) =>
    answered(verifier, req.raw, (_, { requestId }) => {
      const allowed = methods.get(req.path)?.join(', ')
      if (allowed === undefined) throw new Problem('route-unknown', 'no route has this path')
      const problem = new Problem('method-unknown', `this path takes ${allowed}`)
      const response = problemResponse(problem, requestId)
      response.headers.set('allow', allowed)
      return response
    }),
  )
  return hono
}

/** The clock is read here, once, and the request gets its name. Nothing thrown below gets past here. */
async function answered(
  verifier: Verifier,
  request: Request,
  answer: Route['answer'],
): Promise<Response> {
  const { clock, random } = verifier
  const call = { at: clock.now(), requestId: toBase64Url(random.bytes(12)) }
  const response = await answerOrProblem(verifier, { request, call, answer })
  response.headers.set('x-request-id', call.requestId)
  response.headers.set('x-content-type-options', 'nosniff')
  if (!response.headers.has('cache-control')) response.headers.set('cache-control', 'no-store')
  return response
}

async function answerOrProblem(
  verifier: Verifier,
  {
    request,
    call,
    answer,
  }: { readonly request: Request; readonly call: Call; readonly answer: Route['answer'] },
): Promise<Response> {
  try {
    return await answer(request, call)
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
