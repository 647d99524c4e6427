/**
 * Is there room for one more attestation? So many are at work at once, a few more wait, and the rest hear 503 at once: beyond
 * what the processor can do, every request that is taken makes all the others slower, until none is answered in time.
 */
import type { AdmissionConfig } from '../../config/guard-settings.ts'
import { Problem } from '../../problems.ts'

export interface Admission {
  /** To be asked before anything of a request is read. Throws Problem('overloaded'). */
  readonly assertRoom: () => void
  /**
   * Resolves when it is this request's turn, to what must be called when the request is over, whatever became of it. To be
   * called once the body is there: a slow sender holds a connection and no turn. Throws Problem('overloaded').
   */
  readonly enter: () => Promise<() => void>
  readonly figures: () => { readonly inFlight: number; readonly waiting: number }
}

/** Nobody waits longer for a turn: by then it is faster to be refused and to ask another replica. */
const LONGEST_WAIT_MS = 1_000
const RETRY_AFTER_SECONDS = 1
const RECENT_MS = 250

export interface AdmissionRequest extends AdmissionConfig {
  /** By how many milliseconds the event loop was late when it was last looked at. */
  readonly loopDelayMs: () => number
  /** Only ever rises. */
  readonly elapsedMs?: () => number
}

export function admission({
  mostInFlight,
  mostWaiting,
  mostLoopDelayMs,
  loopDelayMs,
  elapsedMs = () => performance.now(),
}: AdmissionRequest): Admission {
  let inFlight = 0
  /** In the order in which they came. */
  const waiting = new Set<() => void>()
  const recently = recentCount(elapsedMs)

  function assertRoom(): void {
    if (inFlight + waiting.size >= mostInFlight + mostWaiting)
      throw overloaded(`${inFlight} are at work and ${waiting.size} wait`)
    // Where little is asked the delay is not its doing, and to refuse the little that comes would mend nothing.
    const late = recently.count() >= mostInFlight ? loopDelayMs() : 0
    if (late > mostLoopDelayMs) throw overloaded(`the service runs ${Math.round(late)} ms late`)
  }

  async function turn(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(begin)
        reject(overloaded(`nothing ended for ${LONGEST_WAIT_MS} ms`))
      }, LONGEST_WAIT_MS)
      const begin = () => {
        clearTimeout(timer)
        resolve()
      }
      waiting.add(begin)
    })
  }

  /** Hands the turn on, so that nobody who comes later gets it first. */
  function leave(): void {
    const [next] = waiting
    if (!next) {
      inFlight--
      return
    }
    waiting.delete(next)
    next()
  }

  return {
    assertRoom,
    async enter() {
      recently.add()
      if (inFlight < mostInFlight) inFlight++
      else {
        if (waiting.size >= mostWaiting) throw overloaded(`${inFlight} are at work`)
        await turn()
      }
      let isOver = false
      return () => {
        if (isOver) return
        isOver = true
        leave()
      }
    },
    figures: () => ({ inFlight, waiting: waiting.size }),
  }
}

/** How many there were in the last 250 to 500 ms. Appraisals are over before the next one begins, and none is ever in flight. */
function recentCount(elapsedMs: () => number) {
  let began = elapsedMs()
  let current = 0
  let previous = 0
  const turn = () => {
    const windows = Math.floor((elapsedMs() - began) / RECENT_MS)
    if (windows <= 0) return
    previous = windows === 1 ? current : 0
    current = 0
    began += windows * RECENT_MS
  }
  return {
    add() {
      turn()
      current++
    },
    count() {
      turn()
      return previous + current
    },
  }
}

function overloaded(because: string): Problem {
  return new Problem('overloaded', because, { retryAfterSeconds: RETRY_AFTER_SECONDS })
}
