/**
 * When is it worth asking again, and how long is waited before? Only what may pass is tried again: a refusal with a reason stays
 * one. Everything that is asked here may be asked twice: what was used up by a lost answer is made anew for each attempt.
 */
import { ServiceRefusal, ServiceUnreachable } from './faults.ts'
import type { Surroundings } from './surroundings.ts'

export interface Patience {
  /** At least 1. */
  readonly attempts: number
  /** A service that asks for more than this is not waited for: the caller hears it, with the time. */
  readonly longestWaitMs: number
}

const usualPatience: Patience = { attempts: 5, longestWaitMs: 30_000 }

const FIRST_WAIT_MS = 250
/**
 * Timeouts, quotas, and whatever stands in front of a service that is being started again. A challenge that is not good any more
 * belongs to them: its answer came late, or twice, or to a service that has other keys now.
 */
const PASSING = [408, 429, 502, 503, 504]

export async function retrying<T>(
  attempt: () => Promise<T>,
  {
    wait,
    fraction,
    patience = usualPatience,
    signal,
  }: Pick<Surroundings, 'wait' | 'fraction'> & {
    readonly patience?: Patience
    readonly signal?: AbortSignal | undefined
  },
): Promise<T> {
  for (let failed = 0; ; ) {
    try {
      return await attempt()
    } catch (fault) {
      failed++
      if (!isPassing(fault) || failed >= patience.attempts || signal?.aborted) throw fault
      const asked = retryAfterOf(fault)
      if (asked > patience.longestWaitMs) throw fault
      await wait(backOffMs(failed, asked, { longest: patience.longestWaitMs, fraction }), signal)
    }
  }
}

export function isPassing(fault: unknown): boolean {
  return (
    fault instanceof ServiceUnreachable ||
    (fault instanceof ServiceRefusal &&
      (PASSING.includes(fault.status) ||
        fault.code.startsWith('challenge-') ||
        // Somebody changed it at that very moment, and nothing of the request was kept.
        ['resource-changed', 'session-superseded'].includes(fault.code)))
  )
}

/** In milliseconds; 0 where nothing was asked for. */
export function retryAfterOf(fault: unknown): number {
  return fault instanceof ServiceRefusal ? (fault.retryAfterSeconds ?? 0) * 1000 : 0
}

/**
 * Twice as long each time, and anything between nothing and that (a fleet that failed together must not come back together);
 * after Retry-After, a little more than was asked for.
 */
export function backOffMs(
  failed: number,
  askedMs: number,
  { longest, fraction }: { readonly longest: number; readonly fraction: () => number },
): number {
  const most = Math.min(FIRST_WAIT_MS * 2 ** failed, longest)
  return askedMs + fraction() * (askedMs > 0 ? Math.min(askedMs / 4, most) : most)
}
