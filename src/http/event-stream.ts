/**
 * One reader of an event stream (HTML Standard, section 9.2, server-sent events): first what it missed, then what happens, with
 * a sign of life when nothing does. What waits for a slow reader is bounded: it is cut off, and resumes where it was.
 */
import type { Store } from '../service/ports.ts'
import type { ServiceEvent } from '../service/token-ports.ts'
import type { Verifier } from '../service/verifier.ts'

export interface StreamTerms {
  /** The reader has this event and every one before it; undefined: it begins with what happens from now on. */
  readonly after: number | undefined
  /** Text of the event's `data`, or undefined for one that is not for this reader. */
  readonly shown: (event: ServiceEvent) => string | undefined
  /** It ends then: whoever reads on must show anew that he may. Undefined: whenever its reader likes. */
  readonly until: Date | undefined
  /** Whether lines of `id` are written, by which a reader may come back. */
  readonly isResumable: boolean
  /** Breaks the connection, for a reader that does not read: an end written to it would wait behind all the rest. */
  readonly disconnect: () => void
  /** Called once, whoever ended it. */
  readonly ended: () => void
}

export interface EventStream {
  readonly body: ReadableStream<Uint8Array>
  /** The service stops: whatever is written is delivered first. */
  readonly end: () => void
}

export const HEARTBEAT_MS = 15_000
const EVENTS_PER_PAGE = 256
/** Of about half a kilobyte each. */
const MOST_WAITING = 1_024
/** What a reader waits before it comes back: nearly at once, and not all in the same instant as the service restarts. */
const RETRY_MS = 1_000

export function eventStream(
  {
    store,
    events,
    clock,
  }: { readonly store: Pick<Store, 'eventsAfter' | 'lastEvent'> } & Pick<
    Verifier,
    'events' | 'clock'
  >,
  { after, shown, until, isResumable, disconnect, ended }: StreamTerms,
): EventStream {
  const waiting: ServiceEvent[] = []
  /** Resolves the pull that waits for something to write. */
  let wake: (() => void) | undefined
  let position = after ?? 0
  let isCatchingUp = true
  let missed = false
  let isBeating = false
  let isOver = false

  const unsubscribe = events.subscribe((event) => {
    // While older ones are read from the database, so is this one.
    if (isCatchingUp) missed = true
    else if (waiting.length >= MOST_WAITING) disconnect()
    else waiting.push(event)
    wake?.()
  })
  const heartbeat = setInterval(() => {
    // What was written at the last beat, or before it, is not taken yet.
    if (!wake) return disconnect()
    isBeating = true
    wake()
  }, HEARTBEAT_MS)
  heartbeat.unref()

  function finish(): void {
    if (isOver) return
    isOver = true
    unsubscribe()
    clearInterval(heartbeat)
    wake?.()
    ended()
  }

  /** Where nothing is told, the position moves all the same: a reader that comes back need not be told again. */
  function written(page: readonly ServiceEvent[]): string {
    let text = ''
    for (const event of page) {
      if (event.sequence <= position) continue
      position = event.sequence
      const data = shown(event)
      if (data === undefined) continue
      if (isResumable) text += `id: ${position}\n`
      text += `event: ${event.kind}\ndata: ${data}\n\n`
    }
    return text
  }

  async function begin(): Promise<string> {
    const last = isResumable ? await store.lastEvent() : 0
    // An id that was never given out: another database, or one that was restored. Whoever comes with it has missed what
    // cannot be told.
    const isUnknown = after !== undefined && after > last
    if (after === undefined || isUnknown) position = last
    if (!isResumable) isCatchingUp = false
    const reset = isUnknown ? 'event: reset\ndata: {}\n\n' : ''
    return `retry: ${RETRY_MS}\n${idLine()}: following\n\n${reset}`
  }

  /** An id alone, which a reader keeps without being told anything. */
  function idLine(): string {
    return isResumable ? `id: ${position}\n` : ''
  }

  async function catchUp(): Promise<string> {
    missed = false
    const page = await store.eventsAfter(position, EVENTS_PER_PAGE)
    if (page.length < EVENTS_PER_PAGE && !missed) isCatchingUp = false
    return written(page)
  }

  async function next(): Promise<string> {
    // Whatever wakes it, an event or a beat, is not told any more.
    if (until !== undefined && clock.now() >= until) {
      finish()
      return ''
    }
    if (isCatchingUp) return await catchUp()
    if (waiting.length > 0) return written(waiting.splice(0))
    if (isBeating) {
      isBeating = false
      return `${idLine()}: still here\n\n`
    }
    await new Promise<void>((resolve) => {
      wake = resolve
    })
    wake = undefined
    return ''
  }

  const encoder = new TextEncoder()
  let hasBegun = false
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          let text = hasBegun ? '' : await begin()
          hasBegun = true
          while (text === '' && !isOver) text = await next()
          if (text !== '') controller.enqueue(encoder.encode(text))
          if (isOver) controller.close()
        } catch {
          // The database is gone. The reader comes back, and is told by a problem that this is so.
          finish()
          disconnect()
        }
      },
      cancel: finish,
    },
    { highWaterMark: 0 },
  )
  return { body, end: finish }
}
