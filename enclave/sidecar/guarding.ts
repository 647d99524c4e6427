/**
 * What does the guard's alarm set off? The verifier is told at once and not with the next heartbeat. And between two heartbeats the
 * agent is looked at, for what no event tells: files that another process changed, memory that was written.
 */
import { retrying } from '../client/retrying.ts'
import type { Surroundings } from '../client/surroundings.ts'
import type { AgentCollector } from '../measure/watching.ts'
import type { WatchedSession } from '../session/watched-session.ts'
import type { LocalGuard } from './local-guard.ts'

export interface Guarding {
  readonly guard: LocalGuard
  readonly collector: Pick<AgentCollector, 'look' | 'report'>
  readonly surroundings: Pick<Surroundings, 'wait' | 'fraction' | 'monotonicMs'>
  /** Ends it. */
  readonly signal: AbortSignal
}

export const LOOK_EVERY_MS = 1_000
/** Of the time: a look takes tens of milliseconds, and with tens of thousands of files a good part of a second (docs/measurement.md). */
const MOST_LOOKING = 1 / 20

/** Resolves when the signal fires. Never rejects. */
export async function guarding({
  guard,
  collector,
  surroundings,
  signal,
}: Guarding): Promise<void> {
  guard.onAlarm(({ event }) => collector.report(event))
  const { wait, monotonicMs } = surroundings
  let tookMs = 0
  while (!signal.aborted) {
    await wait(Math.max(LOOK_EVERY_MS, tookMs / MOST_LOOKING), signal).catch(() => {})
    if (signal.aborted) return
    const began = monotonicMs()
    await collector.look()
    tookMs = monotonicMs() - began
  }
}

/** As soon as there is a session to tell it in. */
export function tellAtOnce(
  guard: LocalGuard,
  session: Pick<WatchedSession, 'heartbeat' | 'signal'>,
  surroundings: Guarding['surroundings'],
): void {
  const { signal } = session
  const patience = { ...surroundings, signal }
  let isTelling = false
  let isMore = false
  const tell = async () => {
    isMore = true
    // Whatever happens while one is under way is in the next: a flood of such things is no flood of heartbeats.
    if (isTelling) return
    isTelling = true
    while (isMore && !signal.aborted) {
      isMore = false
      // Failing, it is told with the heartbeats that the session goes on trying.
      await retrying(session.heartbeat, patience).catch(() => {})
    }
    isTelling = false
  }
  guard.onUrgent(() => void tell())
}
