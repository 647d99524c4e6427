/**
 * A Problem as stock Key Broker clients read it: `{type, detail}`, with a status by which they do what helps. 401 has them
 * attest anew; 404 and 403 end the attempt at once; any other is an error whose body must have that form too.
 */
import { type Problem, type ProblemCode, problemTypes } from '../../problems.ts'

const TYPE = 'https://github.com/confidential-containers/kbs/errors/'

interface Told {
  /** As Trustee names its errors, where it has one. */
  readonly variant: string
  /** Default: the problem's own. */
  readonly status?: number
}

const told: Readonly<Partial<Record<ProblemCode, Told>>> = {
  // At 401 the client of /attest says that it was refused, at anything else that the server failed.
  'evidence-rejected': { variant: 'AttestationError', status: 401 },
  'evidence-unrecognised': { variant: 'AttestationError', status: 401 },
  'broker-handshake-refused': { variant: 'AttestationError' },
  'challenge-used': { variant: 'AttestationError', status: 401 },
  'collateral-unavailable': { variant: 'AttestationError' },
  'broker-session-required': { variant: 'TokenNotFound' },
  'release-refused': { variant: 'PolicyDeny' },
  'release-needs-hardware': { variant: 'PolicyDeny' },
  'policy-unavailable': { variant: 'PolicyEngineError' },
  'policy-stale': { variant: 'PolicyEngineError' },
  'resource-unknown': { variant: 'ResourceNotFound' },
  'route-unknown': { variant: 'InvalidRequestPath' },
  'request-malformed': { variant: 'SerdeError' },
  'media-type-unsupported': { variant: 'SerdeError' },
  'body-too-large': { variant: 'SerdeError' },
  'operator-unauthenticated': { variant: 'AdminAuthAccess' },
  'operator-forbidden': { variant: 'AdminAuthAccess' },
  'too-many-requests': { variant: 'TooManyRequests' },
}

export function brokerRefusal(problem: Problem): Response {
  const { variant, status } = told[problem.code] ?? { variant: 'PluginInternalError' }
  const headers = new Headers({ 'content-type': 'application/json' })
  if (problem.retryAfterSeconds !== undefined)
    headers.set('retry-after', `${Math.ceil(problem.retryAfterSeconds)}`)
  // What was not read of a body that is too large stays on the connection.
  if (problem.code === 'body-too-large') headers.set('connection', 'close')
  const body = { type: `${TYPE}${variant}`, detail: `${problem.code}: ${problem.detail}` }
  return new Response(JSON.stringify(body), {
    status: status ?? problemTypes[problem.code].status,
    headers,
  })
}
