/**
 * `vouchsafe/relying-party/node`: the same for plain node:http and what is built on it.
 *
 *     const admit = attestedOnly(party, { publicUrl: 'https://kms.example' })
 *     createServer(async (request, response) => {
 *       const admitted = await admit(request, response)
 *       if (admitted) response.end(admitted.claims.subject)
 *     })
 */
import { sha256 } from './base64url.ts'
import { readBounded } from './bounded-fetch.ts'
import type { ForwardAuth } from './forward-auth.ts'
import type { RelyingParty } from './relying-party.ts'
import {
  type Answer,
  type GuardOptions,
  MOST_BODY_BYTES,
  refusalAnswer,
  requestGuard,
} from './request-guard.ts'
import type { Accepted } from './verdict.ts'

/** What is needed of node:http's IncomingMessage. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headersDistinct: Readonly<Record<string, readonly string[] | undefined>>
  readonly iterator: (options: { readonly destroyOnReturn: boolean }) => AsyncIterable<Uint8Array>
}

/** What is needed of node:http's ServerResponse. */
export interface NodeResponse {
  readonly writeHead: (status: number, headers: Record<string, string>) => unknown
  readonly end: (body: string) => unknown
}

export interface Admitted extends Accepted {
  /** As it was read for its digest; undefined where nobody read it yet. */
  readonly body: Uint8Array | undefined
}

/**
 * Undefined: the request was refused, and answered. The answer never rejects. Throws TypeError for options that cannot be
 * meant.
 */
export function attestedOnly(
  party: RelyingParty,
  options: GuardOptions,
): (request: NodeRequest, response: NodeResponse) => Promise<Admitted | undefined> {
  const guard = requestGuard(party, options)
  const { mostBodyBytes = MOST_BODY_BYTES } = options
  return async (request, response) => {
    let body: Uint8Array | undefined
    const verdict = await guard({
      ...received(request),
      async bodySha256() {
        // Or there would be no connection left for the answer.
        const chunks = request.iterator({ destroyOnReturn: false })
        const bytes = await readBounded(chunks, mostBodyBytes)
        body = bytes
        return bytes.length === 0 ? 'none' : await sha256(bytes)
      },
    })
    if (verdict.accepted) return { ...verdict, body }
    write(response, refusalAnswer(verdict, party))
    return undefined
  }
}

/** Of a program that only answers a gateway: `createServer(forwardAuthListener(forwardAuth(party, options)))`. */
export function forwardAuthListener(
  answerTo: ForwardAuth,
): (request: NodeRequest, response: NodeResponse) => Promise<void> {
  return async (request, response) => write(response, await answerTo(received(request)))
}

function received({ method = '', url = '', headersDistinct }: NodeRequest) {
  return {
    method,
    target: url,
    // Node itself would drop a second Authorization in silence.
    header: (name: string) => headersDistinct[name]?.join(', '),
  }
}

function write(response: NodeResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers })
  response.end(body)
}
