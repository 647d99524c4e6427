/**
 * The place on this machine at which an agent, in whatever language it is written, gets its tokens, proofs and secrets, and says
 * what it spends: the keys stay here, in another process and another user's memory.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AttestedClient } from '../client/attested-client.ts'
import type { WatchedSession } from '../session/watched-session.ts'
import type { AdmittedPeers } from './admitted-peers.ts'
import { type Answer, answerTo, WrongQuestion } from './endpoint-problem.ts'
import { assertProgram } from './endpoint-request.ts'
import { type EndpointRoute, endpointRoutes, type Spoken } from './endpoint-routes.ts'
import { heldReleases } from './held-releases.ts'
import { type LocalServer, startLocalServer } from './local-server.ts'
import type { Peer } from './peer-credentials.ts'
import type { SocketPlace } from './socket-place.ts'

export interface LocalEndpointRequest extends SocketPlace {
  readonly admitted: AdmittedPeers
  /** Each question, once it was answered. Never what was asked for or answered: that may be a secret. */
  readonly told?: (asked: AnsweredQuestion) => void
}

export interface AnsweredQuestion {
  readonly method: string
  /** Of the route; empty where there is none. */
  readonly path: string
  readonly status: number
  readonly peer: Peer
  /** What went wrong inside, for its owner alone. */
  readonly fault: unknown
}

/** An attested client, or a watched session, which has the last two. */
export interface EndpointClient
  extends Pick<AttestedClient, 'tokens' | 'headersFor' | 'release' | 'openLease'> {
  readonly latest?: WatchedSession['latest']
  /** Looked up at each question. */
  readonly collector?: Spoken['collector']
}

/** Throws EndpointFault. */
export async function openLocalEndpoint(
  client: EndpointClient,
  { told, ...request }: LocalEndpointRequest,
): Promise<LocalServer> {
  const { latest: session } = client
  const held = heldReleases(client)
  return await startLocalServer({
    ...request,
    async answer(incoming, response, peer) {
      let fault: unknown
      const route = routeOf(incoming)
      const { collector } = client
      const spoken: Spoken = { client, held, session, collector }
      const answer = await answered(spoken, { incoming, route }).catch((thrown: unknown) => {
        fault = thrown
        return answerTo(thrown)
      })
      write(response, answer)
      try {
        told?.({
          method: incoming.method ?? '',
          path: route?.route.path ?? '',
          status: answer.status,
          ...{ peer, fault },
        })
      } catch {
        // Its owner's own fault must not end what answers.
      }
    },
  })
}

interface Found {
  readonly route: EndpointRoute
  readonly id: string
  readonly query: URLSearchParams
}

async function answered(
  spoken: Spoken,
  { incoming, route }: { readonly incoming: IncomingMessage; readonly route: Found | undefined },
): Promise<Answer> {
  assertProgram(incoming)
  if (!route)
    throw new WrongQuestion(404, 'route-unknown', {
      detail: 'there is nothing of this name and method',
      next: 'See docs/agents.md, “The local endpoint”.',
    })
  const { query, id } = route
  return await route.route.answer(spoken, { request: incoming, query, id })
}

function routeOf({ method, url = '' }: IncomingMessage): Found | undefined {
  // A whole address stands there only where a proxy is asked.
  const asked = url.startsWith('/') ? URL.parse(url, 'http://vouchsafe') : null
  if (!asked) return undefined
  for (const route of endpointRoutes) {
    if (route.method !== method) continue
    if (route.path === asked.pathname) return { route, id: '', query: asked.searchParams }
    const before = route.path.replace(/:id$/, '')
    const id = asked.pathname.slice(before.length)
    const isBelow = before !== route.path && asked.pathname.startsWith(before)
    if (isBelow && /^[A-Za-z0-9_-]{1,128}$/.test(id))
      return { route, id, query: asked.searchParams }
  }
  return undefined
}

function write(response: ServerResponse, { status, document }: Answer): void {
  const text = JSON.stringify(document)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    // Whatever of the body was not read would be taken for the next question.
    ...(status >= 400 && { connection: 'close' }),
  })
  response.end(text)
}
