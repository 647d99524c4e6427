/** Who does what the verifier must do again and again? A timer for each chore: late rather than twice at once, and never silent about failures. */
import type { Chore, Verifier } from '../service/verifier.ts'

export interface RunningChores {
  /** Nothing begins any more; resolves when what runs is over. */
  readonly stop: () => Promise<void>
}

/** A database that is gone fails every chore every half second, and one line a minute says as much. */
const LEAST_BETWEEN_COMPLAINTS_MS = 60_000

export function startChores({
  chores,
  journal,
  clock,
}: Pick<Verifier, 'chores' | 'journal' | 'clock'>): RunningChores {
  const running = chores.map((chore) =>
    startChore(chore, (cause) =>
      journal.record({
        event: 'request.failed',
        at: clock.now(),
        fields: { chore: chore.name },
        cause,
      }),
    ),
  )
  return {
    async stop() {
      await Promise.all(running.map(({ stop }) => stop()))
    },
  }
}

/** The pause is counted from the end of one run to the beginning of the next, so that no run meets another. */
function startChore({ everyMs, run }: Chore, failed: (cause: unknown) => void): RunningChores {
  let timer: NodeJS.Timeout | undefined
  let current: Promise<void> | undefined
  let isStopped = false
  /** Of performance.now; -Infinity after a run that went well: the next failure is news. */
  let complainedAt = Number.NEGATIVE_INFINITY

  async function once(): Promise<void> {
    try {
      await run()
      complainedAt = Number.NEGATIVE_INFINITY
    } catch (cause) {
      const now = performance.now()
      if (now - complainedAt < LEAST_BETWEEN_COMPLAINTS_MS) return
      complainedAt = now
      failed(cause)
    }
  }

  function wait(): void {
    // Keeps no program alive.
    timer = setTimeout(() => {
      current = once().finally(() => {
        current = undefined
        if (!isStopped) wait()
      })
    }, everyMs).unref()
  }

  wait()
  return {
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await current
    },
  }
}
