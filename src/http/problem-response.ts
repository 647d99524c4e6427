/** A Problem as a caller sees it: RFC 9457, with a stable code, what to do next, and the id under which the log has more. */
import { Problem, type ProblemCode, problemTypes } from '../problems.ts'

interface ProblemDocument {
  readonly type: string
  readonly code: ProblemCode
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly next: string
  readonly requestId: string
  readonly [member: string]: unknown
}

/** Our own faults say nothing about themselves: their text was written for the operator. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem && problemTypes[error.code].status !== 500) return error
  return new Problem('internal-error', 'the cause is in the log of the service', { cause: error })
}

function problemDocument({ code, detail, members }: Problem, requestId: string): ProblemDocument {
  const { status, title, next } = problemTypes[code]
  return {
    ...members,
    type: `https://vouchsafe.dev/problems#${code}`,
    code,
    title,
    status,
    detail,
    next,
    requestId,
  }
}

/** Where there is no request that a Response could answer. */
export function problemText(
  problem: Problem,
  id: string,
): { readonly status: number; readonly text: string; readonly id: string } {
  const document = problemDocument(problem, id)
  return { status: document.status, text: JSON.stringify(document), id }
}

export function problemResponse(problem: Problem, requestId: string): Response {
  const document = problemDocument(problem, requestId)
  const headers = new Headers({ 'content-type': 'application/problem+json' })
  if (problem.retryAfterSeconds !== undefined)
    headers.set('retry-after', `${Math.ceil(problem.retryAfterSeconds)}`)
  // RFC 9110 section 11.6.1: whoever is asked to say who he is, is told how.
  if (document.status === 401)
    headers.set('www-authenticate', challenges.get(problem.code) ?? 'Bearer realm="vouchsafe"')
  // What was not read of a body that is too large stays on the connection, which nobody should use again.
  if (problem.code === 'body-too-large') headers.set('connection', 'close')
  return new Response(JSON.stringify(document), { status: document.status, headers })
}

/** RFC 9449 section 7.1; the error names are those of RFC 6750 section 3.1 and of RFC 9449 section 12.2. */
const challenges: ReadonlyMap<ProblemCode, string> = new Map([
  ['possession-required', 'DPoP realm="vouchsafe", algs="ES256"'],
  ['possession-token-refused', 'DPoP realm="vouchsafe", error="invalid_token", algs="ES256"'],
  ['possession-proof-refused', 'DPoP realm="vouchsafe", error="invalid_dpop_proof", algs="ES256"'],
])
