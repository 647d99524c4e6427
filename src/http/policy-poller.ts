/**
 * When is a tenant's policy repository looked at? Again and again with a pause that varies, so that replicas and tenants do
 * not ask all at once, and soon after a nudge. Whoever nudges, however often, costs one look per LEAST_GAP_MS: a recorded
 * webhook can be sent again by anybody who saw it.
 */
import type { Random } from '../service/ports.ts'

export interface PollerRequest {
  /** Never rejects. */
  readonly look: () => Promise<void>
  readonly pollSeconds: number
  readonly random: Random
  /** Between the beginnings of two looks. */
  readonly leastGapMs?: number
}

export interface Poller {
  /** Resolves when the look at the start is over, whatever came of it. */
  readonly firstLook: Promise<void>
  /** Asks for a look that begins after now. */
  readonly nudge: () => void
  /** Looks no more, and waits for the look that runs. */
  readonly close: () => Promise<void>
}

const LEAST_GAP_MS = 5_000
/** The pause is that of the configuration, a fifth more or less. */
const JITTER = 0.2

export function startPoller({
  look,
  pollSeconds,
  random,
  leastGapMs = LEAST_GAP_MS,
}: PollerRequest): Poller {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let isNudged = false
  let isClosed = false
  let began = 0

  function begin(): Promise<void> {
    isNudged = false
    began = performance.now()
    const one = look().finally(() => {
      running = undefined
      if (!isClosed) wait(isNudged ? untilGapIsOver() : pauseMs(pollSeconds, random))
    })
    running = one
    return one
  }

  function wait(ms: number): void {
    clearTimeout(timer)
    // Keeps no program alive.
    timer = setTimeout(() => void begin(), ms).unref()
  }

  function untilGapIsOver(): number {
    return Math.max(0, began + leastGapMs - performance.now())
  }

  return {
    firstLook: begin(),
    nudge() {
      if (isClosed || isNudged) return
      isNudged = true
      // A look that runs may have asked the repository before whatever the nudge is about.
      if (!running) wait(untilGapIsOver())
    },
    async close() {
      isClosed = true
      clearTimeout(timer)
      await running
    },
  }
}

function pauseMs(pollSeconds: number, random: Random): number {
  const share = Buffer.from(random.bytes(4)).readUInt32BE() / 2 ** 32
  return pollSeconds * 1000 * (1 - JITTER + 2 * JITTER * share)
}
