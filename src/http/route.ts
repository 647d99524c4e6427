/** What a route is: everything about it in one value, from which the application and the OpenAPI document are made. */
import type { z } from 'zod'
import type { Problem, ProblemCode } from '../problems.ts'
import type { Operator, OperatorRole } from '../service/operators.ts'
import type { Call } from '../service/verifier.ts'
import type { Budget, Drawing } from './guard/budgets.ts'

export interface Route {
  readonly method: 'GET' | 'POST'
  /** As OpenAPI writes it: `/v1/policies/{tenant}`. A parameter is one whole segment. */
  readonly path: string
  /** One for every name in braces. What does not fit is no path of ours. */
  readonly parameters?: Readonly<Record<string, z.ZodType<string>>>
  /** What may stand behind the question mark; whatever else does is refused, where this is there at all. */
  readonly query?: Readonly<Record<string, z.ZodType<string | undefined>>>
  readonly summary: string
  /** Only an operator who may act as this one, by bearer token. Undefined: anybody. */
  readonly role?: OperatorRole
  /** Such an operator is told more; anybody else is answered as well. */
  readonly welcomes?: OperatorRole
  /**
   * An agent may ask, with its token and a proof of possession (`Authorization: DPoP`), which the route judges: in place of an
   * operator's where the route has a role, and alone where it has none.
   */
  readonly takesAgents?: true
  /** What a request is counted against; undefined: what `budgetOf` says. */
  readonly budget?: Budget | 'none'
  /** In which queue a request waits for its turn; undefined: evidence and releases in theirs, whatever else in none. */
  readonly queue?: 'admission' | 'messages'
  /** Called before anything of the body is read. Throws Problem for what is not worth reading. */
  readonly before?: (asked: Asked) => Promise<void>
  /** Headers that the route reads, beside those of every request. */
  readonly headers?: readonly RouteHeader[]
  readonly request?: z.ZodType
  /** The body may also come as `application/x-www-form-urlencoded`: every field is then text. */
  readonly takesForm?: boolean
  /** The body is bytes of no known kind, whatever its media type says, for `receivedBytes`. */
  readonly takesBytes?: true
  /** Media type of a body that is neither JSON nor a form; for the contract. */
  readonly requestType?: string
  /** Bytes; undefined: what evidence may need. */
  readonly largestBody?: number
  readonly response: z.ZodType | undefined
  /** Of the answer when all is well. */
  readonly responseType?: string
  /** Default 200. */
  readonly status?: 202
  /** Besides those that every route may answer with. */
  readonly problems: readonly ProblemCode[]
  /** How this route's problems are told, where another protocol says how. Default: RFC 9457. */
  readonly refusal?: ((problem: Problem) => Response) | undefined
  readonly answer: (asked: Asked) => Promise<Response> | Response
}

export interface RouteHeader {
  readonly name: string
  readonly required: boolean
  readonly description: string
}

/** One request, as far as the application has read it. */
export interface Asked {
  readonly request: Request
  readonly call: Call
  /** Checked against the route's own, so that every name is there. */
  readonly parameters: Readonly<Record<string, string>>
  /** As far as the route names it. */
  readonly query: Readonly<Record<string, string | undefined>>
  /** Whose token came with it; there wherever the route needs a role, unless an agent asks. */
  readonly operator: Operator | undefined
  /** Counts the request against the quota of the tenant of that name, if there is one. Throws Problem('too-many-requests'). */
  readonly forTenant: (name: string) => Promise<void>
  /** Counts evidence that proved nothing against the caller. */
  readonly unprovenEvidence: () => Promise<void>
  /** How messages of sessions are counted. */
  readonly messages: Pick<Drawing, 'beforeMessage' | 'refusedMessage' | 'forSession'>
  /** Breaks the connection at once, whatever was not written to it yet. */
  readonly disconnect: () => void
}

/** Evidence is what everybody may bring and what costs most, so that nothing is cheap by being forgotten here. */
export function budgetOf({ budget, role, method }: Route): Budget | 'none' {
  return budget ?? (role ? 'operators' : method === 'GET' ? 'public' : 'attestations')
}

/** Turned away with 503 while too many of its kind are under way. */
export function isShed(route: Route): boolean {
  return queueOf(route) !== undefined
}

export function queueOf(route: Route): 'admission' | 'messages' | undefined {
  const budget = budgetOf(route)
  const isUsual = budget === 'attestations' || budget === 'releases'
  return route.queue ?? (isUsual ? 'admission' : undefined)
}

/** A stream would be opened for HEAD as for GET, and with nobody to read it never be closed. */
export function headOr({ request }: Asked, answer: () => Response): Response {
  return request.method === 'HEAD'
    ? new Response(null, { headers: { 'content-type': 'text/event-stream' } })
    : answer()
}

/** `cacheControl`: nothing is kept by anybody unless it is said so. */
export function json(
  value: unknown,
  { status = 200, cacheControl = 'no-store' }: { status?: number; cacheControl?: string } = {},
): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': cacheControl },
  })
}
