/** What a route is: everything about it in one value, from which the application and the OpenAPI document are made. */
import type { z } from 'zod'
import type { ProblemCode } from '../problems.ts'
import type { Operator, OperatorRole } from '../service/operators.ts'
import type { Call } from '../service/verifier.ts'

export interface Route {
  readonly method: 'GET' | 'POST'
  /** As OpenAPI writes it: `/v1/policies/{tenant}`. A parameter is one whole segment. */
  readonly path: string
  /** One for every name in braces. What does not fit is no path of ours. */
  readonly parameters?: Readonly<Record<string, z.ZodType<string>>>
  readonly summary: string
  /** Only an operator who may act as this one, by bearer token. Undefined: anybody. */
  readonly role?: OperatorRole
  /** Such an operator is told more; anybody else is answered as well. */
  readonly welcomes?: OperatorRole
  /** Headers that the route reads, beside those of every request. */
  readonly headers?: readonly RouteHeader[]
  readonly request?: z.ZodType
  readonly response: z.ZodType | undefined
  /** Of the answer when all is well. */
  readonly responseType?: string
  /** Default 200. */
  readonly status?: 202
  /** Besides those that every route may answer with. */
  readonly problems: readonly ProblemCode[]
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
  /** Whose token came with it; there wherever the route needs a role. */
  readonly operator: Operator | undefined
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
