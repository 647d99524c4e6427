/**
 * One simulated agent: its own keys, its own session, its own two chains, and a signed heartbeat with something new in it
 * whenever it is told to. What it says it did is made up; every signature, hash and number over it is real.
 */
import { randomBytes, randomUUID, sign } from 'node:crypto'
import { z } from 'zod'
import {
  HEARTBEAT_TYPE,
  type SessionAnswer,
  sessionAnswer,
  type TranscriptDelta,
} from '../../src/rats/session-message.ts'
import {
  type Checkpoint,
  emptyCheckpoint,
  extended,
  statementDigest,
  type TranscriptStatement,
} from '../../src/rats/transcript.ts'
import type { AgentIdentity, AgentKey, Attester } from '../attestation.ts'
import {
  closingMessage,
  quoteMessage,
  renewalMessage,
  type SessionMessage,
} from '../session/session-message.ts'
import type { FleetAnswer, FleetRequest } from './fleet-connection.ts'
import { fleetKeys } from './fleet-keys.ts'

export interface AgentMade {
  readonly identity: AgentIdentity
  /** Shared by as many agents as one likes: the keys are what is each agent’s own. */
  readonly attester: Attester
  /** Public address of the service, without a slash at the end: what messages are signed for. */
  readonly service: string
  readonly audiences: readonly string[]
  readonly collector: string
  readonly modes: string
  /** Events of the opening message: what the release approves. */
  readonly measurements: readonly string[]
  readonly post: (request: FleetRequest) => Promise<FleetAnswer>
  /** Milliseconds since 1970: a quote is due by the service’s clock. */
  readonly now: () => number
}

export interface FleetAgent {
  readonly open: () => Promise<Outcome>
  /** A heartbeat, or a new quote where one is due. A message whose answer was lost goes out again as it was. */
  readonly beat: () => Promise<Outcome>
  readonly renewTokens: () => Promise<Outcome>
  readonly close: () => Promise<Outcome>
  /** Of the last answer. Undefined: no session. */
  readonly session: () => SessionAnswer | undefined
}

export interface Outcome {
  readonly kind: 'open' | 'heartbeat' | 'quote' | 'tokens' | 'close'
  /** `ok`, the code of a problem, or `unreachable`. */
  readonly code: string
  /** Of a problem: why. */
  readonly detail: string
}

/** After these the session goes on as it was, and the same bytes may be sent again. */
const passing = ['unreachable', 'too-many-requests', 'storage-unavailable', 'session-superseded']

export function fleetAgent(made: AgentMade): FleetAgent {
  const { signing, keys } = fleetKeys()
  let at: Standing | undefined
  /** Made and perhaps accepted: nobody knows until it is answered. */
  let pending: Pending | undefined

  /** One message with everything since the last one. */
  function delta(measurement: readonly string[] = []): TranscriptDelta {
    const { id, boot, seq, previous, policy, checkpoint } = at ?? begun()
    const events = { measurement: [...measurement], behaviour: [interval()] }
    const next = extended(checkpoint, events)
    const statement: TranscriptStatement = {
      session: id,
      boot,
      seq: String(seq),
      measurements: String(next.measurement.count),
      measurement_head: next.measurement.head,
      behaviours: String(next.behaviour.count),
      behaviour_head: next.behaviour.head,
      dropped: '0',
      previous,
      policy,
      uptime: String(Math.floor(performance.now())),
      collector: made.collector,
      modes: made.modes,
    }
    return { statement, ...events }
  }

  function begun(): Standing {
    const id = randomBytes(16).toString('base64url')
    const boot = randomUUID()
    const checkpoint = emptyCheckpoint({ session: id, boot })
    at = { id, boot, seq: 0, previous: '', policy: '', checkpoint, answer: undefined }
    return at
  }

  async function open(): Promise<Outcome> {
    if (pending?.kind === 'open') return await delivered(pending)
    begun()
    return await quoted('open', delta(made.measurements))
  }

  async function quoted(kind: 'open' | 'quote', transcript: TranscriptDelta): Promise<Outcome> {
    const asked = await said(kind, {
      path: '/v1/challenges',
      body: JSON.stringify({ tenant: made.identity.tenant }),
      headers: { 'content-type': 'application/json' },
    })
    if (!('document' in asked)) return asked
    const { nonce } = challenge.parse(asked.document)
    const { identity, attester, service, audiences } = made
    const message = await quoteMessage(identity, {
      ...{ service, keys, attester, nonce, transcript },
      ...(audiences.length > 0 && { audiences }),
    })
    pending = {
      kind,
      transcript,
      request: {
        ...message,
        headers: { 'content-type': 'application/json', ...message.headers },
      },
    }
    return await delivered(pending)
  }

  async function delivered(sent: Pending): Promise<Outcome> {
    const { kind, transcript, request } = sent
    const answer = await said(kind, request)
    if (!('document' in answer)) {
      if (!passing.includes(answer.code)) pending = undefined
      if (answer.code === 'session-nonce-refused' && at) at = { ...at, answer: answer.session }
      if (answer.code === 'session-behind' || answer.code === 'session-unknown') at = undefined
      if (answer.code === 'session-evidence-needed' && at?.answer)
        at = { ...at, answer: demanding(at.answer) }
      return answer
    }
    pending = undefined
    const { checkpoint, id, boot } = at ?? begun()
    const next = sessionOf(answer.document)
    at = {
      id,
      boot,
      seq: Number(transcript.statement.seq) + 1,
      previous: statementDigest(transcript.statement),
      policy: next.policy.digest,
      checkpoint: extended(checkpoint, transcript),
      answer: next,
    }
    return { kind, code: 'ok', detail: '' }
  }

  async function said(kind: Outcome['kind'], request: FleetRequest): Promise<Said> {
    try {
      const { status, body } = await made.post(request)
      const document: unknown = JSON.parse(body.toString('utf8'))
      if (status === 200 || status === 201) return { document }
      const { code, detail, session } = problem.parse(document)
      return { kind, code, detail, session }
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause)
      return { kind, code: 'unreachable', detail, session: undefined }
    }
  }

  async function signed(
    kind: 'tokens' | 'close',
    make: (signer: { service: string; key: AgentKey }, asked: Asked) => Promise<SessionMessage>,
  ): Promise<Outcome> {
    const { id = '', nonce = '' } = at?.answer ?? {}
    const asked = { session: id, nonce }
    const message = await make({ service: made.service, key: keys.sig }, asked)
    const answer = await said(kind, message)
    return 'document' in answer ? { kind, code: 'ok', detail: '' } : answer
  }

  return {
    open,
    async beat() {
      if (pending) return await delivered(pending)
      if (!at?.answer) return await open()
      const { demanded, dueAt } = at.answer.quote
      if (demanded !== null || Date.parse(dueAt) <= made.now())
        return await quoted('quote', delta())
      const transcript = delta()
      pending = { kind: 'heartbeat', transcript, request: heartbeat(transcript, at.answer.nonce) }
      return await delivered(pending)
    },
    async renewTokens() {
      const { audiences } = made
      return await signed(
        'tokens',
        async (signer, asked) =>
          await renewalMessage(signer, {
            ...asked,
            ...(audiences.length > 0 && { audience: [...audiences] }),
          }),
      )
    },
    close: async () => await signed('close', closingMessage),
    session: () => at?.answer,
  }

  /** As enclave/session/ makes it, but signed at once: through WebCrypto it would cost the generator four times as much. */
  function heartbeat(transcript: TranscriptDelta, nonce: string): FleetRequest {
    const path = `/v1/sessions/${transcript.statement.session}/heartbeats`
    const payload = JSON.stringify({ htu: `${made.service}${path}`, nonce, transcript })
    const text = `${HEADER}.${Buffer.from(payload).toString('base64url')}`
    const signature = sign('sha256', Buffer.from(text), {
      key: signing,
      dsaEncoding: 'ieee-p1363',
    })
    return {
      path,
      body: `${text}.${signature.toString('base64url')}`,
      headers: { 'content-type': 'application/jose' },
    }
  }
}

interface Standing {
  readonly id: string
  readonly boot: string
  /** Of the next message. */
  readonly seq: number
  readonly previous: string
  readonly policy: string
  readonly checkpoint: Checkpoint
  readonly answer: SessionAnswer | undefined
}

interface Pending {
  readonly kind: 'open' | 'heartbeat' | 'quote'
  readonly transcript: TranscriptDelta
  readonly request: FleetRequest
}

interface Asked {
  readonly session: string
  readonly nonce: string
}

type Said =
  | { readonly document: unknown }
  | (Outcome & { readonly session: SessionAnswer | undefined })

const challenge = z.object({ nonce: z.string() })
const problem = z.object({
  code: z.string(),
  detail: z.string().default(''),
  session: sessionAnswer.optional().catch(undefined),
})
const HEADER = Buffer.from(JSON.stringify({ alg: 'ES256', typ: HEARTBEAT_TYPE })).toString(
  'base64url',
)

/** A heartbeat is answered with the session, what brings a quote with a member of it. Of our own service: not checked again each time. */
function sessionOf(document: unknown): SessionAnswer {
  const { session } = document as { readonly session?: SessionAnswer }
  const answer = session ?? (document as SessionAnswer)
  if (typeof answer.nonce !== 'string' || typeof answer.quote?.dueAt !== 'string')
    throw new TypeError('the service answered with no session')
  return answer
}

function demanding(answer: SessionAnswer): SessionAnswer {
  return { ...answer, quote: { ...answer.quote, demanded: 'suspended' } }
}

/** Sums of ten quiet seconds, no two alike, and below what any budget allows. */
function interval(): string {
  const some = (most: number) => Math.floor(Math.random() * most)
  return JSON.stringify({
    kind: 'interval',
    milliseconds: 10_000,
    cpuMillis: 20 + some(40),
    memoryMiB: 60 + some(4),
    processes: 2,
    bytesSent: some(100_000),
    bytesReceived: some(400_000),
    modelTokens: some(20),
    modelMicroUsd: some(50),
    systemCalls: {
      read: some(20_000),
      write: some(20_000),
      futex: some(5_000),
      epoll_wait: some(5_000),
      openat: some(200),
    },
    opens: {},
  })
}
