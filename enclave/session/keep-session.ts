/**
 * When is what said next? A heartbeat before its interval has passed, a quote in its place when one is due, at once when one is
 * demanded, and after a failure later each time. Nothing here ends a session: the verifier does, or its owner.
 */
import { ServiceRefusal } from '../client/faults.ts'
import { backOffMs, isPassing, retryAfterOf } from '../client/retrying.ts'
import type { Surroundings } from '../client/surroundings.ts'
import type { Conversation } from './conversation.ts'
import type { SessionNews } from './session-news.ts'
import { sessionSchedule } from './session-schedule.ts'

export interface Keeping {
  readonly surroundings: Surroundings
  readonly told: (news: SessionNews) => void
  /** Milliseconds since 1970 by the service's clock, which says when a quote is due. */
  readonly serviceMs: () => number
  /** Ends it. */
  readonly signal: AbortSignal
}

/** Between two attempts while nothing is answered: a fleet that lost its verifier comes back within so much time, evenly. */
const LONGEST_OUTAGE_WAIT_MS = 30_000
/** Between two attempts of an agent that is not wanted: policy may be mended, but not within seconds. */
const LONGEST_REFUSED_WAIT_MS = 300_000
/** Twice as long each time: after so many every limit is passed. */
const MOST_DOUBLINGS = 12

/** Resolves when the signal fires. Never rejects. */
export async function keepSession(
  { latest, heartbeat, quote }: Pick<Conversation, 'latest' | 'heartbeat' | 'quote'>,
  { surroundings, told, serviceMs, signal }: Keeping,
): Promise<void> {
  const { wait, fraction } = surroundings
  const schedule = sessionSchedule(surroundings, serviceMs)
  let failed = 0

  const untilDue = async () => {
    // Whoever needs tokens speaks too: then there is more time.
    for (let ms = schedule.dueInMs(latest()); ms > 0; ms = schedule.dueInMs(latest()))
      await wait(ms, signal)
  }
  const step = async () => {
    const because = schedule.quoteBecause(latest())
    if (because === undefined) return await heartbeat()
    try {
      await quote(because)
      schedule.quoted()
    } catch (fault) {
      if (isPassing(fault) || signal.aborted) throw fault
      // What was said before still holds, and heartbeats go on; without evidence the verifier suspends it in time.
      schedule.quoteFailed()
      tell(fault)
    }
  }
  const tell = (fault: unknown) =>
    told(
      fault instanceof ServiceRefusal
        ? { kind: 'refused', fault }
        : { kind: 'failing', fault, failed },
    )
  const backOff = async (fault: unknown) => {
    const longest = isPassing(fault) ? LONGEST_OUTAGE_WAIT_MS : LONGEST_REFUSED_WAIT_MS
    // The host can write this too, and may not silence an agent for longer than it could by answering nothing.
    const asked = Math.min(retryAfterOf(fault), longest)
    await wait(backOffMs(Math.min(failed, MOST_DOUBLINGS), asked, { longest, fraction }), signal)
  }
  while (!signal.aborted) {
    try {
      if (failed === 0) await untilDue()
      await step()
      failed = 0
    } catch (fault) {
      if (signal.aborted) return
      failed++
      tell(fault)
      await backOff(fault).catch(() => {})
    }
  }
}
