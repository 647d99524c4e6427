/**
 * Does an HTTP request come from an attested agent, and what is answered if not? What the middleware of every framework shares:
 * which headers hold token and proof, which address a proof must name, and that a refusal tells its caller nothing.
 */
import { assertAddress } from './bounded-fetch.ts'
import type { Presented, RelyingParty } from './relying-party.ts'
import { type Refused, refused, type Verdict } from './verdict.ts'

export interface GuardOptions {
  /** Where your callers reach you: an origin, and the part of the path that something before you takes away. Never from Host. */
  readonly publicUrl: string
  /** Of a body whose digest a proof names; default 1 MiB. */
  readonly mostBodyBytes?: number
  /** Hears of every decision: for your log. Refusals say more here than to their callers. */
  readonly decided?: (verdict: Verdict, request: DecidedRequest) => void
}

export interface DecidedRequest {
  readonly method: string
  /** Without query, which may hold what no log should. */
  readonly path: string
}

export interface ReceivedRequest {
  readonly method: string
  /** Path and query as they were received: `/a%2Fb?c`. */
  readonly target: string
  /** By lower-case name; several of one name joined by commas. */
  readonly header: (name: string) => string | undefined
  /** As ProvedRequest.bodySha256. Asked for once a proof is there; RangeError: the body is too large. */
  readonly bodySha256: () => Promise<string>
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export const MOST_BODY_BYTES = 1024 * 1024

/** Throws TypeError for a public URL that is none. */
export function requestGuard(
  party: RelyingParty,
  { publicUrl, decided }: GuardOptions,
): (received: ReceivedRequest) => Promise<Verdict> {
  assertAddress(publicUrl, 'publicUrl')
  return async (received) => {
    const [path = ''] = received.target.split('?')
    const verdict = await judge(party, { received, path, publicUrl })
    decided?.(verdict, { method: received.method, path })
    return verdict
  }
}

async function judge(
  party: RelyingParty,
  {
    received,
    path,
    publicUrl,
  }: { readonly received: ReceivedRequest; readonly path: string; readonly publicUrl: string },
): Promise<Verdict> {
  const shown = credentialsIn(received.header)
  if ('accepted' in shown) return shown
  if (shown.proof === undefined) return await party.verify(shown)
  try {
    const bodySha256 = await received.bodySha256()
    const { method } = received
    // An absolute or asterisk form (RFC 9112 section 3.2) names no path of ours, and so no proof can name it.
    const url = path.startsWith('/') ? `${publicUrl}${path}` : 'none'
    return await party.verify({ ...shown, request: { method, url, bodySha256 } })
  } catch {
    return refused('body-too-large', 'its body is larger than is read here, or broke off')
  }
}

/**
 * `DPoP` with a proof, `Bearer` without one, whatever proof lies beside it (RFC 9449 section 7.1: a bound token is no bearer
 * token), or a WIT-SVID in the header of its own that SPIFFE demands.
 */
function credentialsIn(header: ReceivedRequest['header']): Presented | Refused {
  const authorization = header('authorization')
  const workload = header('workload-identity-token')
  if (workload !== undefined) {
    if (authorization !== undefined)
      return refused('token-malformed', 'there are two tokens, and which is meant?')
    return { token: workload, proof: header('dpop') ?? '' }
  }
  if (authorization === undefined) return refused('token-missing', 'there is no Authorization')
  const [, scheme = '', token] = /^(dpop|bearer) +([^\s,]+)$/i.exec(authorization) ?? []
  if (token === undefined)
    return refused('token-malformed', 'the Authorization is neither DPoP nor Bearer with one token')
  return scheme.toLowerCase() === 'dpop' ? { token, proof: header('dpop') } : { token }
}

/** RFC 9457, and nothing about why: the reason is in the log of whoever runs this. */
export function refusalAnswer(
  { status, reason }: Pick<Refused, 'status' | 'reason'>,
  { accept }: Pick<RelyingParty, 'accept'>,
): Answer {
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(status === 401 && { 'www-authenticate': challenge(reason, accept) }),
      // What is left of the body is not read.
      ...(status === 413 && { connection: 'close' }),
      ...(status === 503 && { 'retry-after': '5' }),
    },
    body: JSON.stringify({ type: 'about:blank', title: titles[status] ?? 'Forbidden', status }),
  }
}

const titles: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  413: 'Content Too Large',
  503: 'Service Unavailable',
}

/** RFC 9449 section 7.1 and RFC 6750 section 3: which of the two must be another one, and no more. */
function challenge(reason: Refused['reason'], accept: RelyingParty['accept']): string {
  const error = reason.startsWith('proof-') ? 'invalid_dpop_proof' : 'invalid_token'
  const said = reason === 'token-missing' ? '' : `, error="${error}"`
  const schemes = [
    ...(accept.some((form) => form !== 'federation') ? [`DPoP algs="ES256"${said}`] : []),
    ...(accept.includes('federation') ? [`Bearer realm="attested"${said}`] : []),
  ]
  return schemes.join(', ')
}
