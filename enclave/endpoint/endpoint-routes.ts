/** What can a program of this machine ask the local endpoint? One row per route; docs/agents.md tells it in words. */
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import type { AttestedClient } from '../client/attested-client.ts'
import type { Collector } from '../measure/collector.ts'
import type { Latest } from '../session/conversation.ts'
import { type Answer, WrongQuestion } from './endpoint-problem.ts'
import { bodyOf, parsed } from './endpoint-request.ts'
import type { HeldReleases } from './held-releases.ts'

export interface Spoken {
  readonly client: Pick<AttestedClient, 'tokens' | 'headersFor'>
  readonly held: HeldReleases
  /** Undefined: the agent is attested, and not watched. */
  readonly session: (() => Latest | undefined) | undefined
  readonly collector: Pick<Collector, 'spent' | 'changedState'> | undefined
}

export interface EndpointRoute {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** `:id` stands for one segment. */
  readonly path: string
  readonly answer: (spoken: Spoken, asked: Asked) => Promise<Answer>
}

interface Asked {
  readonly request: IncomingMessage
  readonly query: URLSearchParams
  readonly id: string
}

const text = (most: number) => z.string().min(1).max(most)
const amount = z.int().min(0).max(1_000_000_000_000)
const version = z.int().min(1).max(1_000_000_000)
const digest = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be SHA-256 in base64url')

const audienceQuery = z.strictObject({ audience: text(255).exactOptional() })
const waitQuery = z.strictObject({
  wait: z
    .string()
    .regex(/^([1-5]?\d|60)$/, 'must be 0 to 60 seconds')
    .exactOptional(),
})
const proofBody = z.strictObject({
  method: z.string().regex(/^[A-Z]{1,16}$/, 'must be a method of HTTP'),
  /** The part of it that proofs are about: RFC 9449 leaves the query out. */
  url: z
    .string()
    .max(2048)
    .refine((url) => URL.canParse(url), 'must be an absolute address'),
  bodySha256: digest.exactOptional(),
  audience: text(255).exactOptional(),
})
const releaseBody = z.strictObject({
  resource: text(255),
  version: version.exactOptional(),
  minimumVersion: version.exactOptional(),
})
const usageBody = z.strictObject({
  modelTokens: amount.default(0),
  modelMicroUsd: amount.default(0),
})
const stateBody = z.strictObject({
  path: z.string().max(1024).startsWith('/', 'must be an absolute path'),
})

export const endpointRoutes: readonly EndpointRoute[] = [
  {
    method: 'GET',
    path: '/v1/session',
    answer: async ({ session }) => ({ status: 200, document: sessionDocument(session) }),
  },
  {
    method: 'GET',
    path: '/v1/tokens',
    async answer({ client }, { query }) {
      const { audience } = parsed(audienceQuery, Object.fromEntries(query), 'query')
      const { tokens, possession } = await client.tokens()
      const found =
        audience === undefined ? possession : tokens.find((each) => each.audience === audience)
      if (!found) throw audienceUnknown()
      const { form, token } = found
      return { status: 200, document: { form, audience: found.audience, token } }
    },
  },
  {
    method: 'POST',
    path: '/v1/proofs',
    async answer({ client }, { request }) {
      const { method, url, bodySha256, audience } = await bodyOf(request, proofBody)
      const headers = await client
        .headersFor({
          method,
          address: withoutQuery(url),
          ...(bodySha256 !== undefined && { bodySha256 }),
          ...(audience !== undefined && { audience }),
        })
        .catch((fault) => {
          throw fault instanceof RangeError ? audienceUnknown() : fault
        })
      return { status: 200, document: { headers } }
    },
  },
  {
    method: 'POST',
    path: '/v1/releases',
    async answer({ held }, { request }) {
      const { resource, ...asked } = await bodyOf(request, releaseBody)
      return await held.release(resource, asked, (released) => ({
        status: 200,
        document: {
          release: released.release,
          resource: released.resource,
          version: released.version,
          secret: Buffer.from(released.secret).toString('base64'),
          leaseSeconds: Math.floor(released.lease.seconds),
          policy: released.policy,
          logLeaf: released.logLeaf,
        },
      }))
    },
  },
  {
    method: 'GET',
    path: '/v1/releases/:id',
    async answer({ held }, { id, query }) {
      const { wait = '0' } = parsed(waitQuery, Object.fromEntries(query), 'query')
      const standing = await held.standing(id, Number(wait) * 1000)
      if (!standing) throw releaseUnknown()
      return { status: 200, document: { release: id, ...standing } }
    },
  },
  {
    method: 'DELETE',
    path: '/v1/releases/:id',
    async answer({ held }, { id }) {
      if (!held.close(id)) throw releaseUnknown()
      return { status: 200, document: { release: id, state: 'closed' } }
    },
  },
  {
    method: 'POST',
    path: '/v1/usage',
    async answer({ collector }, { request }) {
      const { modelTokens, modelMicroUsd } = await bodyOf(request, usageBody)
      watching(collector).spent({ tokens: modelTokens, microUsd: modelMicroUsd })
      return { status: 200, document: { modelTokens, modelMicroUsd } }
    },
  },
  {
    method: 'POST',
    path: '/v1/state',
    async answer({ collector }, { request }) {
      const { path } = await bodyOf(request, stateBody)
      watching(collector).changedState(path)
      return { status: 200, document: { path } }
    },
  },
]

function sessionDocument(session: Spoken['session']): Answer['document'] {
  if (!session) return { state: 'NONE' }
  const latest = session()
  if (!latest) return { state: 'NEW' }
  const { answer, age, counts } = latest
  const { id, state, seq, leaseUntil, heartbeatSeconds, quote, policy } = answer
  return {
    // As the verifier said it `heardSecondsAgo`.
    ...{ id, state, seq, leaseUntil, heartbeatSeconds, quote, policy },
    heardSecondsAgo: Math.floor(age() / 1000),
    measurements: counts.measurement,
    behaviours: counts.behaviour,
  }
}

function watching<T>(collector: T | undefined): T {
  if (collector) return collector
  throw new WrongQuestion(409, 'not-watched', {
    detail: 'this agent is attested, and not watched',
    next: 'Only a watched session has a budget and state files.',
  })
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '')
}

function audienceUnknown(): WrongQuestion {
  return new WrongQuestion(404, 'audience-unknown', {
    detail: 'the agent holds no such token for this audience',
    next: 'Name the audience where the sidecar is started (--audience), and in a rule of the release.',
  })
}

function releaseUnknown(): WrongQuestion {
  return new WrongQuestion(404, 'release-unknown', {
    detail: 'nothing is held under this id',
    next: 'Release the resource again.',
  })
}
