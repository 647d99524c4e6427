/**
 * The client for an agent that is watched: as client/attested-client.ts, and besides it tells its verifier what was measured, again
 * and again, for as long as it runs. Its tokens are the session's, and hold no longer than two minutes.
 *
 *     const session = await watchedSession({
 *       service: 'https://attest.example.com',
 *       issuer: 'https://attest.example.com',
 *       attester: tsmAttester(),
 *       claims: { tenant: 'default', environment: 'prod', agent: 'invoice-bot' },
 *       collector,
 *     })
 *     session.signal.addEventListener('abort', () => stopTheAgent(session.signal.reason))
 */
import { bornKeys, type OpenedToken } from '../attestation.ts'
import {
  type AttestedClient,
  type AttestedClientRequest,
  audiencesOf,
  clientOver,
} from '../client/attested-client.ts'
import { type Attested, freshToken } from '../client/fresh-token.ts'
import { assertProtected, issuerKeys as openIssuerKeys } from '../client/issuer-keys.ts'
import { openAttested } from '../client/own-token.ts'
import { retrying } from '../client/retrying.ts'
import { machine, type Surroundings } from '../client/surroundings.ts'
import type { Collector } from '../measure/collector.ts'
import { type Conversation, conversation, type Latest } from './conversation.ts'
import { keepSession } from './keep-session.ts'
import { type SessionNews, SessionOver } from './session-news.ts'

export interface WatchedSessionRequest extends AttestedClientRequest {
  /** Closed with the session, once it was opened. */
  readonly collector: Collector
  /** What happens with the session, for whoever starts and stops the agent. Whatever it throws is dropped. */
  readonly told?: (news: SessionNews) => void
}

export interface WatchedSession extends Omit<AttestedClient, 'close'> {
  readonly collector: Collector
  /**
   * Fires when the agent must stop, or was stopped: its reason is a SessionOver. Leases have ended by then, their secrets
   * are overwritten, and nothing is signed any more.
   */
  readonly signal: AbortSignal
  /** What the verifier said last, and how long ago. Undefined while another session is being opened. */
  readonly latest: () => Latest | undefined
  /** Now, and not when it is due. Rejects with what went wrong; the session goes on trying. */
  readonly heartbeat: () => Promise<void>
  readonly quote: () => Promise<void>
  /** The verifier is told, its tokens are revoked, and the collector is closed. */
  readonly close: () => Promise<void>
}

/**
 * Opens the session, and keeps it. Rejects where it was not opened: ServiceRefusal, ServiceUnreachable, AnswerDistrusted, what
 * the attester throws, and TypeError for addresses that the host could answer at.
 */
export async function watchedSession(request: WatchedSessionRequest): Promise<WatchedSession> {
  const { service, issuer, collector, attester, claims } = request
  assertProtected(service, 'service')
  assertProtected(issuer, 'issuer')
  const surroundings: Surroundings = {
    ...machine,
    ...(request.fetch && { fetch: request.fetch }),
    ...request.surroundings,
  }
  const keys = await bornKeys()
  const issuerKeys = openIssuerKeys(issuer, surroundings)
  const audiences = audiencesOf(request)
  const over = new AbortController()
  const told = tellingOf(request)
  const identity = { ...claims, verifier: issuer }
  const spoken = conversation({
    ...{ service, identity, keys, attester, collector, audiences, surroundings, told },
    signal: over.signal,
  })
  const checked = async (tokens: readonly OpenedToken[]): Promise<Attested> =>
    await openAttested(tokens, { audience: audiences[0], issuer, issuerKeys, keys })
  const fresh = freshToken(
    async () =>
      await endingWith(async () => {
        const ask = async () => await checked(await spoken.tokens())
        return await retrying(ask, { ...surroundings, signal: over.signal })
      }),
    surroundings,
  )
  const end = (reason: SessionOver) => {
    if (over.signal.aborted) return
    // First: leases end by it, and a message that waits for its turn is not said any more.
    over.abort(reason)
    fresh.close(reason)
    told({ kind: 'over', over: reason })
  }
  const endingWith = async <T>(work: () => Promise<T>): Promise<T> => {
    over.signal.throwIfAborted()
    try {
      return await work()
    } catch (fault) {
      if (fault instanceof SessionOver) end(fault)
      over.signal.throwIfAborted()
      throw fault
    }
  }
  const kept: Pick<Conversation, 'heartbeat' | 'quote' | 'latest'> = {
    latest: spoken.latest,
    heartbeat: async () => await endingWith(spoken.heartbeat),
    quote: async (because) => await endingWith(async () => await spoken.quote(because)),
  }
  await endingWith(fresh.current)
  const serviceMs = () => fresh.serviceSeconds() * 1000
  void keepSession(kept, { surroundings, told, serviceMs, signal: over.signal })
  const parts = { ...request, keys, issuerKeys, surroundings, until: over.signal }
  return {
    ...clientOver(fresh, parts),
    collector,
    signal: over.signal,
    latest: spoken.latest,
    heartbeat: kept.heartbeat,
    quote: async () => await kept.quote('asked for'),
    async close() {
      await spoken.close()
      end(new SessionOver('CLOSED', 'the session was closed'))
      await collector.close()
    },
  }
}

function tellingOf({ told }: Pick<WatchedSessionRequest, 'told'>): (news: SessionNews) => void {
  return (news) => {
    try {
      told?.(news)
    } catch {
      // Its owner's own fault must not end what watches.
    }
  }
}
