/** How is an approved plugin called? JSON in, JSON out, a few at a time, each within its deadline and each on the record. */
import type { Behaviour, Measurement } from '../../src/rats/runtime-event.ts'
import type { Grants } from './capabilities.ts'
import type { ModuleOutline } from './module-outline.ts'
import { type JsonValue, resultOf } from './plugin-result.ts'
import { abiOf, type PluginLimits } from './plugin-terms.ts'
import { type PluginThread, startPluginThread, type ThreadAnswer } from './plugin-thread.ts'
import type { WasmModule } from './web-assembly.ts'

export interface Plugin {
  readonly name: string
  readonly digest: string
  readonly outline: ModuleOutline
  /** Never rejects for what the plugin does. `input`: anything that JSON.stringify takes. */
  readonly call: (input: unknown) => Promise<PluginAnswer>
  readonly close: () => Promise<void>
}

/**
 * Where it is written down: the collector that watches this agent (enclave/measure/watching.ts). What throws here keeps the plugin
 * from running, or its answer from being used.
 */
export interface SandboxAudit {
  /** Before anything of the plugin runs: resolves when it is in the log, and in the register where there is one. */
  readonly record: (measurement: Measurement) => Promise<void>
  readonly report: (event: Behaviour) => void
}

export type PluginAnswer = {
  readonly milliseconds: number
  /** What a WASI program wrote to its standard error: untrusted text, cut to `errorBytes`. */
  readonly errors: string
} & (
  | { readonly outcome: 'returned'; readonly value: JsonValue }
  /** `refused`: too much, no JSON, or no room. `trapped`: it ended by a fault or an exit code. Reasons may quote the plugin. */
  | { readonly outcome: 'refused' | 'timeout' | 'trapped'; readonly reason: string }
)

export interface PluginParts {
  readonly name: string
  readonly digest: string
  readonly grants: Grants
  readonly limits: PluginLimits
  readonly module: WasmModule
  readonly outline: ModuleOutline
  readonly audit: SandboxAudit
}

/**
 * An instance that is done is garbage of its thread, and its memory with it: after so many bytes of them the thread is replaced,
 * whatever the collector of garbage thought of it.
 */
const MOST_SPENT_BYTES = 512 * 1024 * 1024
const PAGE = 65_536
const encoder = new TextEncoder()

export function openPlugin(parts: PluginParts): Plugin {
  const { name, digest, limits, outline, audit } = parts
  const threads = pluginThreads(parts)

  async function answered(input: unknown): Promise<PluginAnswer> {
    const bytes = encodedInput(input)
    if (!bytes) return refused('what it is to be given is no JSON')
    if (bytes.length > limits.inputBytes)
      return refused(`${bytes.length} bytes of input; at most ${limits.inputBytes} are let`)
    const thread = await threads.take()
    if (!thread) return refused(`${limits.mostWaiting} calls wait already, or it was closed`)
    try {
      await thread.started()
      const begun = performance.now()
      const answer = await thread.call(bytes, limits.deadlineMs)
      return judged(answer, Math.round(performance.now() - begun), limits)
    } finally {
      threads.giveBack(thread)
    }
  }

  return {
    name,
    digest,
    outline,
    async call(input) {
      const answer = await answered(input)
      const { outcome, milliseconds } = answer
      audit.report({ kind: 'plugin-call', plugin: name, digest, outcome, milliseconds })
      return answer
    },
    close: threads.close,
  }
}

function judged(answer: ThreadAnswer, milliseconds: number, limits: PluginLimits): PluginAnswer {
  switch (answer.kind) {
    case 'timeout':
      return {
        outcome: 'timeout',
        reason: `no answer within ${limits.deadlineMs} ms`,
        milliseconds,
        errors: '',
      }
    case 'lost':
      return { outcome: 'trapped', reason: answer.reason, milliseconds, errors: '' }
    case 'returned': {
      const result = resultOf(answer.output)
      const { errors } = answer
      if ('fault' in result)
        return { outcome: 'refused', reason: result.fault, milliseconds, errors }
      return { outcome: 'returned', value: result.value, milliseconds, errors }
    }
    case 'refused':
    case 'trapped':
      return {
        outcome: answer.kind,
        reason: answer.reason,
        milliseconds,
        errors: answer.errors,
      }
  }
}

function refused(reason: string): PluginAnswer {
  return { outcome: 'refused', reason, milliseconds: 0, errors: '' }
}

/** Undefined: a cycle, a bigint, or nothing at all. */
function encodedInput(input: unknown): Uint8Array<ArrayBuffer> | undefined {
  try {
    const text = JSON.stringify(input)
    return text === undefined ? undefined : encoder.encode(text)
  } catch {
    return undefined
  }
}

/** At most `mostAtOnce` threads, each with one call; at most `mostWaiting` calls wait for one. */
function pluginThreads(parts: PluginParts) {
  const { outline, module, grants, limits } = parts
  const abi = abiOf(outline)
  if (!abi) throw new TypeError('a module without an ABI is not opened')
  const { outputBytes, errorBytes } = limits
  const running = new Set<PluginThread>()
  const start = () => {
    const thread = startPluginThread({ module, abi, grants, outputBytes, errorBytes })
    running.add(thread)
    return thread
  }
  const callBytes = (outline.memory?.most ?? 0) * PAGE
  const callsPerThread = Math.max(1, Math.floor(MOST_SPENT_BYTES / Math.max(PAGE, callBytes)))
  const calls = new Map<PluginThread, number>()
  // The first begins now, so that the first call does not wait for it.
  const idle: PluginThread[] = [start()]
  const waiting: ((thread: PluginThread | undefined) => void)[] = []
  let busy = 0
  let isClosed = false

  function next(): PluginThread {
    const thread = idle.pop()
    return thread && !thread.isOver() ? thread : start()
  }

  return {
    async take(): Promise<PluginThread | undefined> {
      if (isClosed) return undefined
      if (busy < limits.mostAtOnce) {
        busy++
        return next()
      }
      if (waiting.length >= limits.mostWaiting) return undefined
      return await new Promise((resolve) => {
        waiting.push(resolve)
      })
    },
    giveBack(thread: PluginThread): void {
      const made = (calls.get(thread) ?? 0) + 1
      calls.set(thread, made)
      if (thread.isOver() || made >= callsPerThread || isClosed) {
        calls.delete(thread)
        running.delete(thread)
        void thread.end()
        // Its successor begins before anybody waits for it.
        if (!isClosed) idle.push(start())
      } else idle.push(thread)
      const waiter = waiting.shift()
      if (waiter) waiter(next())
      else busy--
    },
    async close(): Promise<void> {
      isClosed = true
      for (const waiter of waiting.splice(0)) waiter(undefined)
      await Promise.all([...running].map((thread) => thread.end()))
    },
  }
}
