/**
 * Who looks, so that heartbeats go on meanwhile? A thread, since reading files and memory blocks. One that does not come back (a
 * file system that never answers, memory that ran out) is left behind, and another takes its place, a few times.
 */
import { Worker } from 'node:worker_threads'
import type { Look, LookRequest, WatchedAgent } from './look.ts'

export interface LookThread {
  /** Undefined, with a reason, when it did not come back. */
  readonly look: (request: LookRequest) => Promise<Look | { readonly fault: string }>
  readonly close: () => Promise<void>
}

/** A thread that hangs in the kernel cannot be ended: each stays with its memory. */
const MOST_LEFT_BEHIND = 3
const PATIENCE_MS = 5_000
const MEMORY = { maxOldGenerationSizeMb: 512 }

/** `patienceMs`: beyond the budget, which is asked for between two files and two blocks. */
export function lookThread(agent: WatchedAgent, patienceMs = PATIENCE_MS): LookThread {
  let worker: Worker | undefined
  let leftBehind = 0

  const leave = (left: Worker) => {
    worker = undefined
    leftBehind++
    // Not waited for: in the kernel it hears nothing. One that was only late is gone, and does not count any more.
    void left.terminate().then(() => leftBehind--)
  }

  return {
    async look(request) {
      if (!worker && leftBehind > MOST_LEFT_BEHIND)
        return { fault: `the last ${leftBehind} looks at the agent did not come back` }
      if (!worker) {
        worker = new Worker(new URL('./look-worker.ts', import.meta.url), {
          workerData: agent,
          resourceLimits: MEMORY,
        })
        // Of one that nobody waits for any more; whoever waits hears it too.
        worker.on('error', () => {})
        worker.unref()
      }
      const asked = worker
      const answer = await answerOf(asked, request, request.limits.milliseconds + patienceMs)
      if ('fault' in answer) leave(asked)
      return answer
    },
    async close() {
      const last = worker
      worker = undefined
      await Promise.race([
        last?.terminate(),
        new Promise((ended) => setTimeout(ended, 1000).unref()),
      ])
    },
  }
}

async function answerOf(
  worker: Worker,
  request: LookRequest,
  allowedMs: number,
): Promise<Look | { readonly fault: string }> {
  return await new Promise((resolve) => {
    const settle = (answer: Look | { readonly fault: string }) => {
      clearTimeout(timer)
      worker.off('message', settle)
      worker.off('error', failed)
      worker.off('exit', ended)
      resolve(answer)
    }
    const failed = (cause: unknown) =>
      settle({ fault: `the look failed: ${cause instanceof Error ? cause.message : `${cause}`}` })
    const ended = () => settle({ fault: 'the thread that looks has ended' })
    const timer = setTimeout(
      () => settle({ fault: `a look did not come back within ${allowedMs} ms` }),
      allowedMs,
    )
    worker.on('message', settle)
    worker.on('error', failed)
    worker.on('exit', ended)
    worker.postMessage(request)
  })
}
