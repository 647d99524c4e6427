/**
 * May this request pass? For gateways that ask before they hand one on: nginx (auth_request), Caddy (forward_auth), Envoy
 * (ext_authz over HTTP) and what works like them. docs/relying-party.md has a configuration for each.
 *
 * The gateway must be the only one who can ask, and must set the headers below itself: whoever else writes them chooses for
 * which request a proof counts.
 */
import type { RelyingParty } from './relying-party.ts'
import { type Answer, type GuardOptions, refusalAnswer, requestGuard } from './request-guard.ts'
import type { Accepted, Refused } from './verdict.ts'

/** Where the original request's method and path stand: in these headers, or in the question itself below a prefix. */
export type GatewayKind =
  | { readonly methodHeader: string; readonly targetHeader: string }
  | { readonly prefix: string }

export const gateways = {
  nginx: { methodHeader: 'x-original-method', targetHeader: 'x-original-uri' },
  caddy: { methodHeader: 'x-forwarded-method', targetHeader: 'x-forwarded-uri' },
  envoy: { prefix: '/authorize' },
} as const satisfies Readonly<Record<string, GatewayKind>>

export interface ForwardAuthOptions extends Omit<GuardOptions, 'mostBodyBytes'> {
  readonly gateway: keyof typeof gateways | GatewayKind
}

/** What the gateway asked. */
export interface Question {
  readonly method: string
  readonly target: string
  readonly header: (name: string) => string | undefined
}

/** 200 with headers about the agent, 401 or 403: whatever else gateways could read as permission, or as no answer. */
export type ForwardAuth = (question: Question) => Promise<Answer>

/** Throws TypeError for options that cannot be meant. */
export function forwardAuth(party: RelyingParty, options: ForwardAuthOptions): ForwardAuth {
  const guard = requestGuard(party, options)
  const { gateway } = options
  const kind = typeof gateway === 'string' ? gateways[gateway] : gateway
  return async (question) => {
    const asked = originalOf(kind, question)
    const verdict = await guard({
      ...asked,
      header: question.header,
      // Gateways ask before they read it.
      bodySha256: async () => 'not-read',
    })
    if (!verdict.accepted) return refusalAnswer(asGatewaysTake(verdict), party)
    const headers = agentHeaders(verdict)
    // Nothing that a policy repository may name breaks a header; what does all the same passes nowhere.
    if (Object.values(headers).some((value) => !/^[\x20-\x7e]*$/.test(value)))
      return refusalAnswer({ status: 403, reason: 'claims-malformed' }, party)
    return { status: 200, headers: { ...headers, 'cache-control': 'no-store' }, body: '' }
  }
}

/** The same for whatever answers a Request with a Response: Deno.serve, Bun.serve, a route of Hono. */
export function forwardAuthFetch(
  party: RelyingParty,
  options: ForwardAuthOptions,
): (request: Request) => Promise<Response> {
  const answerTo = forwardAuth(party, options)
  return async ({ method, url, headers: sent }) => {
    const { status, headers, body } = await answerTo({
      method,
      target: url.replace(/^[^:]+:\/\/[^/?]*/, ''),
      header: (name) => sent.get(name) ?? undefined,
    })
    return new Response(body, { status, headers: { ...headers } })
  }
}

/** Where a header is missing, or the prefix, the gateway is not set up as it should be: no proof names `none`. */
function originalOf(kind: GatewayKind, { method, target, header }: Question) {
  if ('prefix' in kind)
    return {
      method,
      target: target.startsWith(`${kind.prefix}/`) ? target.slice(kind.prefix.length) : 'none',
    }
  return {
    method: header(kind.methodHeader) ?? 'none',
    target: header(kind.targetHeader) ?? 'none',
  }
}

/** A 5xx makes nginx answer 500 and Envoy, where it is told to fail open, let the request pass. */
function asGatewaysTake({ reason, status }: Refused): Pick<Refused, 'status' | 'reason'> {
  return { reason, status: status === 401 ? 401 : 403 }
}

/** Every one of them always, so that each overwrites what the caller may have sent under its name. */
function agentHeaders({ claims, proved, uncheckedBodySha256 = '' }: Accepted) {
  return {
    'x-vouchsafe-subject': claims.subject,
    'x-vouchsafe-tenant': claims.tenant,
    'x-vouchsafe-environment': claims.environment,
    'x-vouchsafe-agent': claims.agent,
    'x-vouchsafe-form': claims.form,
    'x-vouchsafe-proved': proved ? 'yes' : 'no',
    'x-vouchsafe-status': claims.earStatus,
    'x-vouchsafe-assurance': claims.assurance,
    'x-vouchsafe-scope': claims.scopes.join(' '),
    'x-vouchsafe-jti': claims.jti,
    'x-vouchsafe-key': claims.keyThumbprint,
    'x-vouchsafe-expires': String(claims.expiresAt),
    // The gateway read no body: whoever reads it compares, where it matters.
    'x-vouchsafe-body-sha256': uncheckedBodySha256,
  }
}
