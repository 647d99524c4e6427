/**
 * One process that answers, or is ended. A process and no worker thread: one allocation that a thread's heap cannot hold
 * aborts the whole program, whatever its resource limits (Node 24: a string of 2^28 characters spread into a list).
 * A rule that does not end is noticed here and nowhere else: each item must come within a step's time, and all of them
 * within the whole's; else the process is killed and another takes its place.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { FromWorker, ToWorker, WorkerItem } from './rule-engine-messages.ts'

export interface ProcessLimits {
  /** Of JavaScript values. WebAssembly memory and code come on top. */
  readonly heapMb: number
  /** For a new process to be there at all. */
  readonly startMs: number
}

export interface Watch {
  /** At most so long for one item. */
  readonly stepMs: number
  readonly totalMs: number
}

export interface Run {
  /** What came before the end, in order. */
  readonly items: readonly WorkerItem[]
  readonly end: 'done' | 'late' | Death
}

interface Death {
  readonly died: string
}

export interface RuleProcess {
  /** Never rejects. One at a time: nobody calls it again before it has resolved. */
  readonly run: (message: ToWorker, watch: Watch) => Promise<Run>
  readonly tell: (message: ToWorker) => void
  /** Another one each time the process was replaced: whatever it had loaded is gone. */
  readonly incarnation: () => number
  readonly close: () => Promise<void>
}

interface Started {
  readonly child: ChildProcess
  readonly ready: Promise<true | Death>
  readonly died: Promise<Death>
}

export function ruleProcess(limits: ProcessLimits): RuleProcess {
  let started: Started | undefined
  let incarnation = 0
  let closed = false

  function begin(): Started {
    const next = start(limits)
    started = next
    // Ended by somebody else, while it was idle: the next question is not to blame.
    void next.died.then(() => forget(next))
    return next
  }

  function forget(ended: Started): void {
    if (started !== ended) return
    started = undefined
    incarnation++
  }

  function end(running: Started): void {
    running.child.kill('SIGKILL')
    forget(running)
  }

  return {
    async run(message, watch) {
      if (closed) return { items: [], end: { died: 'the engine is closed' } }
      const current = started ?? begin()
      const ready = await current.ready
      if (ready !== true) {
        end(current)
        return { items: [], end: ready }
      }
      const run = await watched(current, message, watch)
      if (run.end !== 'done') {
        end(current)
        // It was there once, so another will be; whoever comes next need not wait for it.
        if (!closed) begin()
      }
      return run
    },
    tell: (message) => started?.child.send(message, ignored),
    incarnation: () => incarnation,
    async close() {
      closed = true
      const last = started
      if (!last) return
      // An unreferenced one would let the program end before it is known to be gone.
      last.child.ref()
      end(last)
      await last.died
    },
  }
}

function start({ heapMb, startMs }: ProcessLimits): Started {
  const child = fork(new URL('./rule-worker.ts', import.meta.url), [], {
    // Secrets of the service are in its environment and its arguments.
    env: {},
    execArgv: [
      `--max-old-space-size=${heapMb}`,
      // Nothing that it runs has a way to ask for these; without them there is nothing to be had.
      '--permission',
      '--allow-fs-read=*',
      '--allow-worker',
    ],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const died = new Promise<Death>((resolve) => {
    child.on('error', (cause) => resolve({ died: `its process: ${cause.message}` }))
    child.once('exit', (code, signal) => resolve({ died: reasonOf(code, signal, heapMb) }))
  })
  const ready = new Promise<true | Death>((resolve) => {
    const late = () => resolve({ died: `its process was not there within ${startMs} ms` })
    const timer = setTimeout(late, startMs)
    const settle = (outcome: true | Death) => {
      clearTimeout(timer)
      resolve(outcome)
    }
    child.once('message', () => settle(true))
    died.then(settle, settle)
  })
  // An idle one keeps no program alive; one that is asked has a timer that does.
  child.unref()
  child.channel?.unref()
  return { child, ready, died }
}

function watched({ child, died }: Started, message: ToWorker, watch: Watch): Promise<Run> {
  const { stepMs, totalMs } = watch
  const endsAt = performance.now() + totalMs
  const items: WorkerItem[] = []
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout
    let over = false
    function finish(end: Run['end']): void {
      if (over) return
      over = true
      clearTimeout(timer)
      child.off('message', take)
      child.channel?.unref()
      resolve({ items, end })
    }
    function take(received: unknown): void {
      // Only rule-worker.ts is at the other end.
      const from = received as FromWorker
      if (from.kind === 'done') finish('done')
      if (from.kind !== 'item') return
      items.push(from.item)
      arm()
    }
    function arm(): void {
      clearTimeout(timer)
      timer = setTimeout(late, Math.max(0, Math.min(stepMs, endsAt - performance.now())))
    }
    /** The service itself may have been busy while answers came: those are taken before anything is called late. */
    function late(): void {
      const before = items.length
      setImmediate(() => {
        if (items.length === before || performance.now() >= endsAt) finish('late')
      })
    }
    arm()
    child.on('message', take)
    died.then(finish, finish)
    child.send(message, ignored)
  })
}

/** Whatever cannot be sent was meant for a process that is gone, which `died` tells. */
function ignored(): void {}

/** V8 aborts when its heap is full. */
function reasonOf(code: number | null, signal: NodeJS.Signals | null, heapMb: number): string {
  return signal === 'SIGABRT' || signal === 'SIGTRAP' || code === 134
    ? `it took more memory than the ${heapMb} MB that rules have`
    : `its process ended (${signal ?? code})`
}
