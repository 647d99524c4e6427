/** How late does the event loop run, and go on running? Everything that keeps the processor busy shows here, whether or not it is a request. */

export interface LoopDelay {
  /**
   * Milliseconds by which two looks in a row were late at least, the one that is due among them. One pause alone, as when the
   * heap is collected, is over when it is seen: to turn somebody away for it would mend nothing.
   */
  readonly lateMs: () => number
}

/** Costs some 2 µs each; what runs longer than this and what is allowed is seen before the next request is taken. */
export const EVERY_MS = 5

export function watchLoopDelay(): LoopDelay & { readonly stop: () => void } {
  const { look, lateMs } = loopDelay(() => performance.now())
  const timer = setInterval(look, EVERY_MS).unref()
  return { lateMs, stop: () => clearInterval(timer) }
}

/** Of a loop that looks every 5 ms, or as soon as it can. */
export function loopDelay(elapsedMs: () => number): LoopDelay & { readonly look: () => void } {
  let before = 0
  let last = 0
  let due = elapsedMs() + EVERY_MS
  return {
    look() {
      const now = elapsedMs()
      before = last
      last = Math.max(0, now - due)
      due = now + EVERY_MS
    },
    lateMs: () => Math.max(Math.min(before, last), Math.min(last, elapsedMs() - due)),
  }
}
