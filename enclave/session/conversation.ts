/**
 * One session as it is spoken: what is said next, one message at a time, and what its answer changes. Nothing counts as said
 * before its answer came: until then the same bytes are said again, and events are the collector's to hand out once more.
 */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { type SessionAnswer, sessionAnswer } from '../../src/rats/session-message.ts'
import {
  type AgentIdentity,
  type AgentKeys,
  type Attester,
  askChallenge,
  type OpenedToken,
  openTokens,
} from '../attestation.ts'
import { undecryptable } from '../client/attest-for-tokens.ts'
import { AnswerDistrusted, ServiceRefusal } from '../client/faults.ts'
import { callService } from '../client/service-call.ts'
import { type Stopwatch, type Surroundings, stopwatch } from '../client/surroundings.ts'
import type { Collector, EventCounts } from '../measure/collector.ts'
import { consequenceOf } from './refused-message.ts'
import { type Ledger, type NextMessage, nextMessage, openLedger } from './session-ledger.ts'
import {
  closingMessage,
  heartbeatMessage,
  quoteMessage,
  renewalMessage,
  type SessionMessage,
} from './session-message.ts'
import { type SessionNews, SessionOver } from './session-news.ts'

export interface Conversing {
  /** Public address of the service, without a slash at the end. */
  readonly service: string
  readonly identity: AgentIdentity
  readonly keys: AgentKeys
  readonly attester: Attester
  readonly collector: Collector
  readonly audiences: readonly string[]
  readonly surroundings: Surroundings
  readonly told: (news: SessionNews) => void
  /** Ends whatever is under way. */
  readonly signal: AbortSignal
}

export interface Conversation {
  /** Undefined before the first answer, and while another session is to be opened. */
  readonly latest: () => Latest | undefined
  /** Opens the session where there is none. Each rejects with what went wrong, or with SessionOver. */
  readonly heartbeat: () => Promise<void>
  readonly quote: (because: string) => Promise<void>
  readonly tokens: () => Promise<readonly OpenedToken[]>
  /** Tells the verifier. Resolves whether it was heard or not. */
  readonly close: () => Promise<void>
}

export interface Latest {
  readonly answer: SessionAnswer
  /** Since the answer came. */
  readonly age: Stopwatch
  /** Whether the collector had more to say than the last message held. */
  readonly isComplete: boolean
  readonly isQuote: boolean
  /** Told and answered. */
  readonly counts: EventCounts
}

interface Unanswered {
  readonly message: SessionMessage
  readonly next: NextMessage
  readonly isComplete: boolean
}

/** Tokens that came with a quote are handed out to whoever asks for some at that moment. */
const SPARE_MS = 5_000
/** A heartbeat that is not answered in its interval is said again. Evidence takes a vendor's answer at worst. */
const HEARTBEAT_TIMEOUT_MS = 10_000
const CLOSING_TIMEOUT_MS = 3_000

const answerWithSession = z.object({ session: sessionAnswer })

export function conversation(conversing: Conversing): Conversation {
  const { service, identity, keys, collector, surroundings, told, signal } = conversing
  const signer = { service, key: keys.sig }
  let ledger: Ledger | undefined
  let latest: Latest | undefined
  let unanswered: Unanswered | undefined
  let spare: { readonly tokens: readonly OpenedToken[]; readonly age: Stopwatch } | undefined

  const send = async ({ path, body, headers }: SessionMessage, timeoutMs?: number) => {
    const call = { method: 'POST', address: `${service}${path}`, body, headers, signal } as const
    return (await callService(surroundings, { ...call, ...(timeoutMs && { timeoutMs }) })).document
  }
  const begun = (): Ledger => {
    if (ledger) return ledger
    collector.restart()
    const session = randomBytes(16).toString('base64url')
    ledger = openLedger({ session, boot: collector.boot })
    return ledger
  }
  const forget = (because: string) => {
    if (latest) told({ kind: 'reopening', because })
    ledger = undefined
    latest = undefined
    unanswered = undefined
  }
  /**
   * A refusal that says where the session stands: a message whose answer was lost may have arrived, and to say another in its
   * place would fork the history.
   */
  const adopt = (fault: unknown) => {
    const standing = fault instanceof ServiceRefusal && sessionAnswer.safeParse(fault.session).data
    if (!standing) return
    const { statement } = unanswered?.next.delta ?? {}
    if (unanswered && standing.id === statement?.session && String(standing.seq) === statement.seq)
      accepted(standing, unanswered)
    else if (latest?.answer.id === standing.id && latest.answer.seq === standing.seq)
      latest = { ...latest, answer: standing }
    else forget('the verifier has another history of it')
  }
  /** What a refusal means for what was said, whoever said it. Throws SessionOver, or the fault itself. */
  const refusedWith = (fault: unknown): never => {
    const consequence = consequenceOf(fault)
    if (consequence.kind === 'quote' || consequence.kind === 'other-nonce') adopt(fault)
    // A session that was never opened, or may have been: another id costs nothing.
    if (!latest && consequence.kind !== 'repeat') ledger = undefined
    if (consequence.kind !== 'repeat') unanswered = undefined
    if (consequence.kind === 'reopen') forget(consequence.because)
    if (consequence.kind === 'over') throw consequence.over
    throw fault
  }
  const accepted = (answer: SessionAnswer, { message, next, isComplete }: Unanswered) => {
    const { statement, measurement, behaviour } = next.delta
    if (answer.id !== statement.session || String(answer.seq) !== statement.seq)
      throw new AnswerDistrusted('the answer is about another message')
    const before = latest
    unanswered = undefined
    ledger = next.accepted(answer.policy.digest)
    latest = {
      answer,
      age: stopwatch(surroundings),
      isComplete,
      isQuote: !isHeartbeat(message),
      counts: {
        measurement: ledger.checkpoint.measurement.count,
        behaviour: ledger.checkpoint.behaviour.count,
      },
    }
    collector.confirm({ measurement: measurement.length, behaviour: behaviour.length })
    if (!before) told({ kind: 'opened', session: answer.id })
    if (before?.answer.state !== answer.state) told({ kind: 'state', state: answer.state })
    const { state } = answer
    if (state === 'QUARANTINED' || state === 'REVOKED')
      throw new SessionOver(state, `the verifier has put the session into ${state}`)
  }
  /** The same bytes until they are answered. */
  const said = async (saying: Unanswered): Promise<void> => {
    unanswered = saying
    const { message } = saying
    try {
      const document = await send(message, isHeartbeat(message) ? HEARTBEAT_TIMEOUT_MS : undefined)
      const parsed = isHeartbeat(message)
        ? sessionAnswer.safeParse(document)
        : answerWithSession.transform(({ session }) => session).safeParse(document)
      if (!parsed.success)
        throw new AnswerDistrusted('the answer is not what a service answers to this')
      accepted(parsed.data, saying)
      if (isHeartbeat(message)) return
      const tokens = await openTokens(document, keys).catch(undecryptable)
      if (tokens.length > 0) spare = { tokens, age: stopwatch(surroundings) }
    } catch (fault) {
      if (fault instanceof SessionOver) throw fault
      refusedWith(fault)
    }
  }
  const measuredBy = async (nonce: string) => {
    // First: it may begin the log of this boot anew.
    const from = begun()
    const { isComplete, ...measured } = await collector.measure({ nonce })
    const { collector: digest, modes } = collector
    return { next: nextMessage(from, { ...measured, collector: digest, modes }), isComplete }
  }
  const quoteNow = async (because: string) => {
    const isFirst = !latest
    const { nonce } = await askChallenge(identity, {
      service,
      post: async (address, body) =>
        await callService(surroundings, { method: 'POST', address, body, signal }),
    })
    if (nonce === undefined) throw new AnswerDistrusted('what came is no challenge')
    const { next, isComplete } = await measuredBy(nonce)
    const { attester, audiences } = conversing
    const message = await quoteMessage(identity, {
      ...{ service, keys, attester, nonce },
      ...(audiences.length > 0 && { audiences }),
      transcript: next.delta,
    })
    await said({ message, next, isComplete })
    if (!isFirst) told({ kind: 'quoted', because })
  }
  const heartbeatNow = async ({ answer }: Latest) => {
    const { nonce } = answer
    const { next, isComplete } = await measuredBy(nonce)
    const message = await heartbeatMessage(signer, { nonce, transcript: next.delta })
    await said({ message, next, isComplete })
  }
  /** Where only a quote helps, in this session or in another, it is made at once. */
  const mended = async (work: () => Promise<void>) => {
    try {
      if (ledger && ledger.boot !== collector.boot) forget('the machine started again')
      if (unanswered) await said(unanswered)
      await work()
    } catch (fault) {
      const { kind } = consequenceOf(fault)
      if (kind !== 'quote' && kind !== 'reopen') throw fault
      await quoteNow(kind === 'quote' ? 'suspended' : 'reopened')
    }
  }
  const alive = async () => {
    if (latest) await heartbeatNow(latest)
    else await quoteNow('opening')
  }
  const renewed = async (): Promise<readonly OpenedToken[]> => {
    const { id: session, nonce } = heard(latest).answer
    const { audiences } = conversing
    const asked = { session, nonce, ...(audiences.length > 0 && { audience: [...audiences] }) }
    const document = await send(await renewalMessage(signer, asked)).catch(refusedWith)
    return await openTokens(document, keys).catch(undecryptable)
  }
  const tokensNow = async (): Promise<readonly OpenedToken[]> => {
    let tokens: readonly OpenedToken[] | undefined
    await mended(async () => {
      // A LATE session gets no tokens, and a heartbeat makes it ACTIVE again.
      if (!latest || latest.age() > latest.answer.heartbeatSeconds * 1500) await alive()
      tokens = takeSpare() ?? (await renewed().catch(renewedOnceHeard))
    })
    return tokens ?? takeSpare() ?? (await renewed())
  }
  const renewedOnceHeard = async (fault: unknown) => {
    const { kind } = consequenceOf(fault)
    if (kind !== 'late' && kind !== 'other-nonce') throw fault
    await alive()
    return takeSpare() ?? (await renewed())
  }
  const takeSpare = () => {
    const held = spare
    spare = undefined
    return held && held.age() < SPARE_MS ? held.tokens : undefined
  }
  const alone = inTurn(signal)
  return {
    latest: () => latest,
    heartbeat: async () => await alone(async () => await mended(alive)),
    quote: async (because) =>
      await alone(async () => await mended(async () => await quoteNow(because))),
    tokens: async () => await alone(tokensNow),
    async close() {
      const { answer } = latest ?? {}
      if (!answer || signal.aborted) return
      const asked = { session: answer.id, nonce: answer.nonce }
      await alone(
        async () => await send(await closingMessage(signer, asked), CLOSING_TIMEOUT_MS),
      ).catch(() => {})
    },
  }
}

function isHeartbeat({ path }: SessionMessage): boolean {
  return path.endsWith('/heartbeats')
}

function heard(latest: Latest | undefined): Latest {
  if (latest) return latest
  throw new AnswerDistrusted('the session was answered, and is not there')
}

/** One after the other, in order of asking; a failure is only its own. */
function inTurn(signal: AbortSignal): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return async (work) => {
    const turn = last.then(async () => {
      signal.throwIfAborted()
      return await work()
    })
    last = turn.catch(() => {})
    return await turn
  }
}
