/**
 * `vouchsafe/agent`: tokens, proofs and secrets for a program that runs beside `vouchsafe agent run`, which holds the keys.
 *
 *     const agent = localAgent()
 *     const token = await agent.tokenFor('sts.amazonaws.com')
 *     const headers = await agent.headersFor({ method: 'POST', url, body, audience: 'ledger.example' })
 *     const { secret } = await agent.release('secret:db-ro')
 *     await agent.reportUsage({ modelTokens: 812, modelMicroUsd: 2436 })
 *
 * It needs Node 20.3 or newer, and no package. What it is not: the attested program's own proof of anything. Whoever the
 * sidecar admits speaks for the agent.
 */

import { sha256 } from '../relying-party/base64url.ts'
import { AgentFault } from './agent-fault.ts'
import { askLocally, type Json } from './local-question.ts'

export { AgentFault }

export interface LocalAgentOptions {
  /** Default: the environment's VOUCHSAFE_SOCKET, which `vouchsafe agent run` sets for the program that it starts. */
  readonly socket?: string
}

export interface LocalAgent {
  /** Default audience: that of the token which the service itself takes. One for federation goes to a cloud as it is. */
  readonly tokenFor: (audience?: string) => Promise<string>
  /** Authorization and DPoP for one request: each proof is taken once, within a minute. */
  readonly headersFor: (request: ProvedRequest) => Promise<AgentHeaders>
  readonly release: (resource: string, asked?: ReleaseVersions) => Promise<LocalRelease>
  /** What calls of models cost since the last report. Counted against the budget of the release. */
  readonly reportUsage: (usage: ModelUsage) => Promise<void>
  /** A file that the manifest names as state was written: it is measured anew. Absolute path. */
  readonly reportState: (path: string) => Promise<void>
  readonly session: () => Promise<SessionStanding>
}

export interface ProvedRequest {
  /** As it is sent: GET, POST. */
  readonly method: string
  /** Public address; its query does not count. */
  readonly url: string
  /** As it is sent; absent where there is none. */
  readonly body?: string | Uint8Array<ArrayBuffer>
  /** base64url of SHA-256 over it, instead. */
  readonly bodySha256?: string
  readonly audience?: string
}

export interface AgentHeaders {
  readonly authorization: string
  readonly dpop: string
}

export interface ReleaseVersions {
  readonly version?: number
  readonly minimumVersion?: number
}

export interface LocalRelease {
  readonly resource: string
  readonly version: number
  readonly secret: Uint8Array
  /** Id of the release, in the log and in the operators' list. */
  readonly release: string
  /** Of the first lease; the sidecar renews it. */
  readonly leaseSeconds: number
  /**
   * Resolves when the secret may not be used any more, with the reason. Rejects when the sidecar cannot be asked: whoever holds
   * something dear stops then too.
   */
  readonly ended: (signal?: AbortSignal) => Promise<ReleaseEnd>
  /** The agent is done with it: overwrites `secret`, and ends the lease. */
  readonly close: () => Promise<void>
}

export interface ReleaseEnd {
  readonly end: 'refused' | 'lapsed' | 'closed'
  readonly detail: string
}

export interface ModelUsage {
  readonly modelTokens?: number
  /** Millionths of a US dollar. */
  readonly modelMicroUsd?: number
}

export interface SessionStanding {
  /** NONE: attested, and not watched. NEW: another session is being opened. Otherwise as the verifier said it last. */
  readonly state:
    | 'NONE'
    | 'NEW'
    | 'ACTIVE'
    | 'LATE'
    | 'SUSPENDED'
    | 'QUARANTINED'
    | 'REVOKED'
    | 'CLOSED'
  readonly id: string | undefined
  readonly heardSecondsAgo: number | undefined
}

/** Seconds for which one question about a lease stays open. */
const LEASE_WAIT = 60

/** Asks nothing yet. Throws TypeError where no socket is named. */
export function localAgent({ socket = fromEnvironment() }: LocalAgentOptions = {}): LocalAgent {
  if (typeof socket !== 'string' || !socket.startsWith('/'))
    throw new TypeError('no socket: set VOUCHSAFE_SOCKET, or name it as an absolute path')
  const get = async (path: string, signal?: AbortSignal) =>
    await askLocally(socket, { method: 'GET', path, signal })
  const post = async (path: string, body: object) =>
    await askLocally(socket, { method: 'POST', path, body })
  return {
    async tokenFor(audience) {
      const query = audience === undefined ? '' : `?audience=${encodeURIComponent(audience)}`
      return textIn(await get(`/v1/tokens${query}`), 'token')
    },
    async headersFor({ body, bodySha256, ...request }) {
      const digest = body === undefined ? bodySha256 : await sha256(body)
      const named = digest === undefined ? {} : { bodySha256: digest }
      const { headers } = await post('/v1/proofs', { ...request, ...named })
      return {
        authorization: textIn(headers, 'authorization'),
        dpop: textIn(headers, 'dpop'),
      }
    },
    release: async (resource, asked = {}) =>
      releaseFrom(socket, await post('/v1/releases', { ...asked, resource })),
    async reportUsage(usage) {
      await post('/v1/usage', usage)
    },
    async reportState(path) {
      await post('/v1/state', { path })
    },
    async session() {
      const said = await get('/v1/session')
      const { id, heardSecondsAgo } = said
      return {
        state: textIn(said, 'state') as SessionStanding['state'],
        id: typeof id === 'string' ? id : undefined,
        heardSecondsAgo: typeof heardSecondsAgo === 'number' ? heardSecondsAgo : undefined,
      }
    },
  }
}

function releaseFrom(socket: string, said: Json): LocalRelease {
  const release = textIn(said, 'release')
  const secret = bytesOf(textIn(said, 'secret'))
  const path = `/v1/releases/${encodeURIComponent(release)}`
  return {
    resource: textIn(said, 'resource'),
    version: numberIn(said, 'version'),
    secret,
    release,
    leaseSeconds: numberIn(said, 'leaseSeconds'),
    async ended(signal) {
      for (;;) {
        const standing = await askLocally(socket, {
          method: 'GET',
          path: `${path}?wait=${LEASE_WAIT}`,
          signal,
        })
        const end = textIn(standing, 'state')
        if (end === 'refused' || end === 'lapsed' || end === 'closed')
          return { end, detail: String(standing.detail ?? '') }
      }
    },
    async close() {
      secret.fill(0)
      await askLocally(socket, { method: 'DELETE', path })
    },
  }
}

function bytesOf(base64: string): Uint8Array {
  const binary = atob(base64)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

function textIn(document: unknown, name: string): string {
  const value = memberOf(document, name)
  if (typeof value === 'string') return value
  throw unlike(name)
}

function numberIn(document: unknown, name: string): number {
  const value = memberOf(document, name)
  if (typeof value === 'number') return value
  throw unlike(name)
}

function memberOf(document: unknown, name: string): unknown {
  return typeof document === 'object' && document !== null ? (document as Json)[name] : undefined
}

function unlike(name: string): AgentFault {
  return new AgentFault(
    {
      code: 'answer-unlike',
      detail: `the answer of the local endpoint has no ${name}`,
      next: 'Is the sidecar of the same version as this package?',
    },
    0,
  )
}

function fromEnvironment(): string | undefined {
  return globalThis.process?.env?.VOUCHSAFE_SOCKET
}
