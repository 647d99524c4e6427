/** How late does the event loop run? Everything that keeps the processor busy shows here, whether or not it is a request. */

export interface LoopDelay {
  /** Milliseconds, when it was last looked at; by how much it is overdue, where that is longer. */
  readonly lateMs: () => number
  readonly stop: () => void
}

/** Costs some 2 µs each; what runs longer than this and what is allowed is seen before the next request is taken. */
const EVERY_MS = 5

export function watchLoopDelay(): LoopDelay {
  let late = 0
  let due = performance.now() + EVERY_MS
  const timer = setInterval(() => {
    const now = performance.now()
    late = Math.max(0, now - due)
    due = now + EVERY_MS
  }, EVERY_MS).unref()
  return {
    lateMs: () => Math.max(late, performance.now() - due),
    stop: () => clearInterval(timer),
  }
}
