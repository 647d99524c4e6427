/**
 * `POST /v1/sessions/{id}/heartbeats`: the agent says that it is there, and what it loaded and did since it said so last. The hot
 * path of the service: one signature, one read, one write, and checks over what is new.
 */
import { hash } from 'node:crypto'
import type { Policy } from '../policy/policy.ts'
import type { Finding } from '../rats/check.ts'
import {
  HEARTBEAT_TYPE,
  type HeartbeatPayload,
  heartbeatPayload,
  type QuoteReason,
  type SessionAnswer,
} from '../rats/session-message.ts'
import {
  assertNoNews,
  assertNotOver,
  assertNotSuspended,
  judgingPolicy,
  type KnownSession,
  knownSession,
  momentOf,
  nonceRefused,
  type SentMessage,
  sessionBehind,
  superseded,
  watchedRelease,
} from './known-session.ts'
import { continuationOf } from './session-chain.ts'
import { failureSentence, type JudgedMessage, judgeMessage } from './session-findings.ts'
import type { SessionRecord, SessionStep } from './session-ports.ts'
import { answerOf, deltaOf, type Telling, type Told, toldRecord } from './session-record.ts'
import { chainBroken, punish, revokeForked } from './session-verdicts.ts'
import { openSessionMessage } from './signed-session-message.ts'
import type { Call, Verifier } from './verifier.ts'

export type Heard =
  /** Suspended too: its answer asks for a quote. */
  | { readonly verdict: 'accepted' | 'repeated'; readonly answer: SessionAnswer }
  | {
      readonly verdict: 'quarantined'
      readonly session: SessionRecord
      readonly findings: readonly Finding[]
      /** For operators. */
      readonly sentence: string
    }

/** A quote, an operator or another message of the same session may come in between. */
const MOST_TRIES = 3

/**
 * Throws Problem: `session-unknown`, `session-message-refused`, `session-over`, `session-evidence-needed`, `session-behind`,
 * `session-nonce-refused`, `session-chain-broken`, `session-superseded`, `policy-unavailable`, `storage-unavailable`.
 */
export async function heartbeat(
  verifier: Verifier,
  { id, body, admit }: SentMessage,
  call: Call,
): Promise<Heard> {
  const htu = `${verifier.publicUrl}/v1/sessions/${id}/heartbeats`
  const digest = hash('sha256', body)
  let payload: HeartbeatPayload | undefined
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const known = await knownSession(verifier, id)
    if (!payload) {
      payload = openSessionMessage(body, known.session, {
        ...{ typ: HEARTBEAT_TYPE, schema: heartbeatPayload, htu },
      })
      await admit(known.session)
    }
    const heard = await judged(verifier, { ...known, payload, digest }, call)
    if (heard !== 'superseded') return heard
  }
  throw superseded(id)
}

interface Hearing extends KnownSession {
  readonly payload: HeartbeatPayload
  readonly digest: string
}

async function judged(
  verifier: Verifier,
  { session, tenant, payload, digest }: Hearing,
  call: Call,
): Promise<Heard | 'superseded'> {
  const { nonce, transcript } = payload
  const policy = judgingPolicy(tenant, call.at)
  const telling: Telling & { readonly policy: Policy } = {
    ...momentOf(verifier, call),
    random: verifier.random,
    policy,
  }
  assertNotOver(session, telling)
  const { seq, session: named } = transcript.statement
  if (named !== session.id)
    throw nonceRefused(session, telling, 'the statement is of another session')
  // A message that is none of the last answer's says nothing about now, whatever else is wrong with it.
  if (seq === String(session.seq + 1) && nonce !== session.nonce)
    throw nonceRefused(session, telling, 'the nonce is not that of the last answer')
  const continuation = continuationOf(session, transcript)
  switch (continuation.kind) {
    case 'old':
      throw nonceRefused(session, telling, `message ${seq} was answered long ago`)
    case 'ahead':
      throw sessionBehind(session, seq)
    case 'broken': {
      const { reason } = continuation
      const isRevoked = await revokeForked(verifier, { session, at: call.at }, reason)
      if (!isRevoked) return 'superseded'
      throw chainBroken(session, reason)
    }
    case 'repeated':
      assertNotSuspended(session, telling)
      return { verdict: 'repeated', answer: answerOf(session, telling) }
    case 'next': {
      assertNotSuspended(session, telling)
      const { checkpoint, digest: statement } = continuation
      return await kept(verifier, {
        ...{ session, telling },
        told: { transcript, checkpoint, statement, digest },
      })
    }
  }
}

async function kept(
  verifier: Verifier,
  {
    session,
    telling,
    told,
  }: {
    readonly session: SessionRecord
    readonly telling: Telling & { readonly policy: Policy }
    readonly told: Omit<Told, 'usage'>
  },
): Promise<Heard | 'superseded'> {
  const { policy, at } = telling
  const release = watchedRelease(policy, session, at)
  const found: JudgedMessage & { readonly reason?: string } =
    typeof release === 'string'
      ? { findings: [], consequence: 'suspend', usage: session.usage, reason: release }
      : judgeMessage({
          ...{ policy, release, transcript: told.transcript, at },
          ...{ before: session, usage: session.usage, register: undefined },
        })
  const { findings, consequence, usage } = found
  const demanded = demandAfter(session, found)
  const next = toldRecord(session, { ...told, usage, demanded }, telling)
  const step: SessionStep = { session: next, delta: deltaOf(told.transcript) }
  if (consequence === 'none' || consequence === 'step-up') {
    const outcome = await verifier.store.advanceSession(step)
    if (outcome === 'superseded') return outcome
    return { verdict: 'accepted', answer: next.lastMessage?.answer ?? answerOf(next, telling) }
  }
  await assertNoNews(verifier, { tenant: session.tenant, policy, at })
  const reason = found.reason ?? failureSentence(findings)
  const isChanged = await punish(verifier, { session, at, told: step, consequence, reason })
  if (!isChanged) return 'superseded'
  if (consequence === 'quarantine')
    return { verdict: 'quarantined', session: next, findings, sentence: reason }
  const suspended: SessionRecord = { ...next, standing: 'suspended', demanded: 'suspended' }
  return { verdict: 'accepted', answer: answerOf(suspended, telling) }
}

/** What follows from the record itself (growth, another policy, time) is not written down: it is read off when it is asked. */
function demandAfter(
  { demanded }: SessionRecord,
  { consequence }: JudgedMessage,
): QuoteReason | undefined {
  return demanded ?? (consequence === 'step-up' ? 'anomaly' : undefined)
}
