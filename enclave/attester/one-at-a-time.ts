/**
 * Who is next? Hardware makes one report at a time, and a read that the kernel does not answer cannot be taken back: so one
 * runs, a few wait, nobody waits for ever, and the rest is told at once.
 */
import { setTimeout as sleep } from 'node:timers/promises'

export interface Turns {
  readonly mostWaiting: number
  /** From asking to the answer, waiting included. */
  readonly deadlineMs: number
  /** What is thrown to whoever is not served. */
  readonly refusal: (sentence: string) => Error
}

/**
 * What did not answer in time keeps its turn until it does: another beside it would take one more of the threads on which the
 * whole process reads files and signs.
 */
export function oneAtATime<Q, A>(
  work: (request: Q) => Promise<A>,
  { mostWaiting, deadlineMs, refusal }: Turns,
): (request: Q) => Promise<A> {
  let last: Promise<unknown> = Promise.resolve()
  let pending = 0

  return async (request) => {
    if (pending > mostWaiting)
      throw refusal(`${pending} requests for a report are before this one, and no more may wait`)
    pending++
    const waiting = { isOver: false }
    const before = last
    const turn = (async () => {
      try {
        await before
        // Nobody is there any more who would hear the answer.
        if (waiting.isOver) return undefined
        return { answer: await work(request) }
      } finally {
        pending--
      }
    })()
    last = turn.catch(() => {})
    const done = await withinDeadline(turn, deadlineMs)
    if (done) return done.answer
    waiting.isOver = true
    throw refusal(`no report came within ${deadlineMs / 1000} s`)
  }
}

async function withinDeadline<T>(turn: Promise<T>, ms: number): Promise<T | undefined> {
  const over = new AbortController()
  try {
    return await Promise.race([
      turn,
      sleep(ms, undefined, { signal: over.signal, ref: false }).catch(() => undefined),
    ])
  } finally {
    over.abort()
  }
}
