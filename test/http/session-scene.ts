/** One session as an agent speaks it, message by message and byte by byte: what it says next, and what it may say wrongly. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { SessionAnswer, TranscriptDelta } from '#src/rats/session-message.ts'
import type { AgentKeys, Attester } from '../../enclave/attestation.ts'
import {
  type Ledger,
  nextMessage,
  type Observed,
  openLedger,
} from '../../enclave/session/session-ledger.ts'
import {
  closingMessage,
  heartbeatMessage,
  quoteMessage,
  renewalMessage,
  type SessionMessage,
} from '../../enclave/session/session-message.ts'
import { agentOf, attester, manifest, post, type RunningService } from './running-service.ts'

export const COLLECTOR = `sha256:${'c0'.repeat(32)}`
const CODE = `sha256:${'11'.repeat(32)}`

/** Approved by `watchedManifest`, under any path below /app. */
export function codeEvent(path = '/app/main.js', digest = CODE): string {
  return JSON.stringify({ kind: 'code', path, digest })
}

export function unapprovedEvent(): string {
  return codeEvent('/app/main.js', `sha256:${'ee'.repeat(32)}`)
}

export function interval(members: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    ...{ kind: 'interval', milliseconds: 10_000, cpuMillis: 5, memoryMiB: 20, processes: 1 },
    ...{ bytesSent: 0, bytesReceived: 0, modelTokens: 0, modelMicroUsd: 0 },
    ...{ systemCalls: {}, opens: {} },
    ...members,
  })
}

export function watchedManifest(runtime: (text: string) => string = (text) => text): string {
  return manifest(
    (text) =>
      text +
      runtime(`  runtime:
    attestEvery: 300s
    collectors: [${COLLECTOR}]
    watch: [files]
    mostDropped: 5
    measurements:
      - {kind: code, digest: "${CODE}"}
    budget: {tokensPerMinute: 1000}
`),
  )
}

export interface Answered {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: documents of many kinds, which the tests look into
  readonly json: any
  readonly headers: Headers
}

export interface Speaker {
  readonly id: string
  readonly keys: AgentKeys
  /** What the next message continues; a test may put another in its place. */
  ledger: Ledger
  /** Of the last answer. */
  answer: SessionAnswer
  readonly said: (observed?: Partial<Observed>) => ReturnType<typeof nextMessage>
  /** Made and not sent. */
  readonly heartbeatOf: (delta: TranscriptDelta, nonce?: string) => Promise<SessionMessage>
  readonly quoteOf: (delta: TranscriptDelta, of?: Attester) => Promise<SessionMessage>
  readonly send: (message: SessionMessage) => Promise<Answered>
  /** Each goes on from its answer where it was accepted. */
  readonly open: (observed?: Partial<Observed>, of?: Attester) => Promise<Answered>
  readonly heartbeat: (observed?: Partial<Observed>) => Promise<Answered>
  readonly quote: (observed?: Partial<Observed>, of?: Attester) => Promise<Answered>
  readonly tokens: (nonce?: string) => Promise<Answered>
  readonly close: (nonce?: string) => Promise<Answered>
}

const none = { id: '', nonce: '' } as SessionAnswer

export async function speaker(
  service: RunningService,
  {
    keys: given,
    id = randomBytes(16).toString('base64url'),
    boot = randomUUID(),
  }: { readonly keys?: AgentKeys; readonly id?: string; readonly boot?: string } = {},
): Promise<Speaker> {
  const agent = await agentOf(service)
  const keys = given ?? agent.keys
  const { identity } = agent
  const signer = { service: service.url, key: keys.sig }
  const send = async ({ path, body, headers }: SessionMessage) =>
    await post(`${service.address}${path}`, body, headers)
  const self: Speaker = {
    id,
    keys,
    ledger: openLedger({ session: id, boot }),
    answer: none,
    said: (observed) =>
      nextMessage(self.ledger, {
        ...{ measurement: [], behaviour: [], dropped: 0, collector: COLLECTOR, modes: ['files'] },
        uptimeMs: 60_000 + self.ledger.seq * 10_000,
        ...observed,
      }),
    heartbeatOf: async (transcript, nonce = self.answer.nonce) =>
      await heartbeatMessage(signer, { nonce, transcript }),
    quoteOf: async (transcript, of = attester()) =>
      await quoteMessage(identity, {
        ...{ service: service.url, keys, attester: of, transcript },
        nonce: (
          await post(`${service.address}/v1/challenges`, JSON.stringify({ tenant: 'default' }))
        ).json.nonce,
      }),
    send,
    async open(observed = { measurement: [codeEvent()] }, of) {
      return await self.quote(observed, of)
    },
    async heartbeat(observed = { behaviour: [interval()] }) {
      const next = self.said(observed)
      const answered = await send(await self.heartbeatOf(next.delta))
      if (answered.status === 200) accepted(next, answered.json)
      return answered
    },
    async quote(observed = {}, of) {
      const next = self.said(observed)
      const answered = await send(await self.quoteOf(next.delta, of))
      if (answered.status === 200) accepted(next, answered.json.session)
      return answered
    },
    tokens: async (nonce = self.answer.nonce) =>
      await send(await renewalMessage(signer, { session: id, nonce })),
    close: async (nonce = self.answer.nonce) =>
      await send(await closingMessage(signer, { session: id, nonce })),
  }
  const accepted = (next: ReturnType<typeof nextMessage>, answer: SessionAnswer) => {
    self.ledger = next.accepted(answer.policy.digest)
    self.answer = answer
  }
  return self
}

/** Moves the clock of the service. */
export function later(service: RunningService, seconds: number): void {
  service.clock.at = new Date(service.clock.at.getTime() + seconds * 1000)
}
