/** How long until this session is to be heard again, and is it a heartbeat or a quote? Not at the same moment as everybody else. */
import { type Stopwatch, type Surroundings, stopwatch } from '../client/surroundings.ts'
import type { Latest } from './conversation.ts'

export interface SessionSchedule {
  /** Milliseconds until something must be said; 0: now. */
  readonly dueInMs: (latest: Latest | undefined) => number
  /** Why the next message is a quote; undefined: it is a heartbeat. */
  readonly quoteBecause: (latest: Latest | undefined) => string | undefined
  readonly quoted: () => void
  /** It was refused, or the hardware made none: the next attempt is later each time. */
  readonly quoteFailed: () => void
}

/** However short or long an interval the answer names: a timer has 31 bits, and one beyond them fires at once. */
const LEAST_WAIT_MS = 250
const LONGEST_HEARTBEAT_MS = 300_000
/** However far away the instant is that it names. */
const LONGEST_UNTIL_QUOTE_MS = 24 * 3_600_000
const FIRST_POSTPONEMENT_MS = 15_000
const LONGEST_POSTPONEMENT_MS = 300_000
const MOST_DOUBLINGS = 8

interface Due {
  readonly age: Stopwatch
  readonly ms: number
}

/** `serviceMs`: milliseconds since 1970 by the service's clock. */
export function sessionSchedule(
  surroundings: Surroundings,
  serviceMs: () => number,
): SessionSchedule {
  const { fraction } = surroundings
  let heartbeat: { readonly of: Latest; readonly ms: number } | undefined
  let quote: { readonly dueAt: string; readonly due: Due } | undefined
  let postponed: Due | undefined
  let failed = 0

  const heartbeatMs = (latest: Latest): number => {
    if (heartbeat?.of !== latest)
      // A little early: the interval is what the verifier counts.
      heartbeat = {
        of: latest,
        ms:
          Math.min(latest.answer.heartbeatSeconds * 1000, LONGEST_HEARTBEAT_MS) *
          (0.9 + 0.1 * fraction()),
      }
    return heartbeat.ms
  }
  /** The verifier spreads the instants that it names: agents that were started at once are not due at once. */
  const isQuoteDue = ({ answer: { quote: asked } }: Latest): boolean => {
    if (quote?.dueAt !== asked.dueAt) {
      const ms = Date.parse(asked.dueAt) - serviceMs()
      const bounded = Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), LONGEST_UNTIL_QUOTE_MS)
      quote = { dueAt: asked.dueAt, due: { age: stopwatch(surroundings), ms: bounded } }
    }
    return isOver(quote.due)
  }
  const mayQuote = () => !postponed || isOver(postponed)
  return {
    dueInMs(latest) {
      if (!latest) return 0
      const { answer, age, isComplete, isQuote } = latest
      // So that its time counts from here.
      isQuoteDue(latest)
      // One that is demanded right after another waits: a verifier that is never content does not cost a core.
      const isUrgent = !isComplete || (answer.quote.demanded !== null && !isQuote && mayQuote())
      const ms = isUrgent ? LEAST_WAIT_MS : Math.max(heartbeatMs(latest), LEAST_WAIT_MS)
      return Math.max(0, Math.ceil(ms - age()))
    },
    quoteBecause(latest) {
      // What was measured belongs to the verifier before a quote vouches for it.
      if (!latest?.isComplete || !mayQuote()) return undefined
      return latest.answer.quote.demanded ?? (isQuoteDue(latest) ? 'schedule' : undefined)
    },
    quoted() {
      postponed = undefined
      failed = 0
    },
    quoteFailed() {
      const ms = FIRST_POSTPONEMENT_MS * 2 ** Math.min(failed, MOST_DOUBLINGS)
      failed++
      postponed = {
        age: stopwatch(surroundings),
        ms: Math.min(ms, LONGEST_POSTPONEMENT_MS) * (0.5 + 0.5 * fraction()),
      }
    },
  }
}

function isOver({ age, ms }: Due): boolean {
  return age() >= ms
}
