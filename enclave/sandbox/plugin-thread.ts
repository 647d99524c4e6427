/** Who runs one call and is sure to end it? A thread that is ended from outside at the deadline, whatever it is doing. */
import { Worker } from 'node:worker_threads'
import type { AskedCall, FromPlugin, PluginWork } from './plugin-messages.ts'

export interface PluginThread {
  /** Resolves when it takes calls, or never will. Not part of anybody’s deadline. */
  readonly started: () => Promise<void>
  /** One call at a time, once started. Never rejects. After a trap or a timeout the thread is over. */
  readonly call: (input: Uint8Array<ArrayBuffer>, deadlineMs: number) => Promise<ThreadAnswer>
  readonly isOver: () => boolean
  readonly end: () => Promise<void>
}

export type ThreadAnswer =
  | Exclude<FromPlugin, { kind: 'ready' }>
  | { readonly kind: 'timeout' }
  /** It ended by itself, or never began. */
  | { readonly kind: 'lost'; readonly reason: string }

/**
 * Of the thread’s own JavaScript: of the guest’s memory they bound nothing, which is why the module’s maximum does. A guest that
 * recurses without end meets the stack’s limit as a RangeError.
 */
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8, stackSizeMb: 1 }
/** A thread takes 30 ms to begin, and ten times that on a busy machine. */
const START_DEADLINE_MS = 10_000

export function startPluginThread(work: PluginWork): PluginThread {
  const worker = new Worker(new URL('./plugin-worker.ts', import.meta.url), {
    workerData: work,
    resourceLimits,
    env: {},
    argv: [],
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
  })
  // A thread that waits for a call keeps no program alive.
  worker.unref()
  let over: ThreadAnswer | undefined
  let waiting: ((answer: ThreadAnswer) => void) | undefined
  let becomeReady: () => void = () => {}
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve
  })

  const settle = (answer: ThreadAnswer) => {
    const settled = waiting
    waiting = undefined
    settled?.(answer)
  }
  const lost = (reason: string) => {
    over ??= { kind: 'lost', reason }
    becomeReady()
    settle(over)
  }
  worker.on('message', (message: FromPlugin) => {
    if (message.kind === 'ready') becomeReady()
    else settle(message)
  })
  worker.on('error', (error) => lost(error instanceof Error ? error.message : 'it failed'))
  worker.on('exit', () => lost('its thread has ended'))

  async function end(): Promise<void> {
    lost('its thread was ended')
    await worker.terminate()
  }

  async function within(deadlineMs: number, work: () => void): Promise<ThreadAnswer> {
    return await new Promise((resolve) => {
      const timer = setTimeout(() => settle({ kind: 'timeout' }), deadlineMs)
      waiting = (answer) => {
        clearTimeout(timer)
        resolve(answer)
      }
      work()
    })
  }

  return {
    async started() {
      const timer = setTimeout(() => lost('its thread did not begin'), START_DEADLINE_MS)
      await ready
      clearTimeout(timer)
    },
    async call(input, deadlineMs) {
      if (over) return over
      const asked: AskedCall = { input }
      worker.ref()
      const answer = await within(deadlineMs, () => worker.postMessage(asked, [input.buffer]))
      if (answer.kind === 'returned' || answer.kind === 'refused') worker.unref()
      // Not awaited: the caller is told at the deadline, and nothing more is heard of the thread.
      else void end()
      return answer
    },
    isOver: () => over !== undefined,
    end,
  }
}
