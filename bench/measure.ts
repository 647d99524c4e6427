/**
 * What does it cost to look at a running agent? A Node process with all of node_modules as its code: everything read once, then
 * what every heartbeat costs while nothing changes, its memory alone, and all of it anew.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type LookRequest, looker, type WatchedAgent } from '../enclave/measure/look.ts'

export interface MeasurePlan {
  readonly rounds: number
}

export const usualMeasurePlan: MeasurePlan = { rounds: 15 }
export const quickMeasurePlan: MeasurePlan = { rounds: 5 }

/** All of the dependencies: of this tree, tens of thousands of files. */
const modules = fileURLToPath(new URL('../node_modules', import.meta.url))
const limits = { milliseconds: 600_000, files: 1_000_000 }
const clock = () => performance.now()

export async function* measureRows({ rounds }: MeasurePlan): AsyncGenerator<object> {
  const agent = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)'])
  try {
    await once(agent.stdout, 'data')
    const pid = agent.pid ?? 0
    const whole = lookingAt({ pid, trees: [{ path: modules, kind: 'code' }], models: [] })
    const first = timed(() => whole({}))
    yield { bench: 'measure/first', files: first.value.measurements.length, ...first.cost }
    yield { bench: 'measure/unchanged', ...medianOf(rounds, () => whole({})) }
    yield { bench: 'measure/full', ...medianOf(3, () => whole({ extent: 'full' })) }
    const running = lookingAt({ pid, trees: [], models: [] })
    running({})
    yield { bench: 'measure/process, text sampled', ...medianOf(rounds, () => running({})) }
    yield {
      bench: 'measure/process, all text',
      ...medianOf(rounds, () => running({ extent: 'full' })),
    }
    const unread = lookingAt({ pid, trees: [], models: [], memoryText: 'unwatched' })
    unread({})
    yield { bench: 'measure/process, no text', ...medianOf(rounds, () => unread({})) }
  } finally {
    agent.kill()
  }
}

function lookingAt(agent: WatchedAgent) {
  const look = looker(agent, clock)
  return (request: Partial<LookRequest>) =>
    look({
      nonce: 'nonce',
      extent: 'sample',
      limits,
      opened: [],
      source: 'files',
      changed: [],
      ...request,
    })
}

interface Cost {
  readonly ms: number
  readonly cpuMs: number
}

function medianOf(rounds: number, work: () => unknown): Cost {
  const costs = Array.from({ length: rounds }, () => timed(work).cost)
  const median = (of: (cost: Cost) => number) =>
    costs.map(of).toSorted((a, b) => a - b)[rounds >> 1] ?? 0
  return { ms: median(({ ms }) => ms), cpuMs: median(({ cpuMs }) => cpuMs) }
}

function timed<T>(work: () => T): { readonly value: T; readonly cost: Cost } {
  const started = performance.now()
  const cpu = process.cpuUsage()
  const value = work()
  const { user, system } = process.cpuUsage(cpu)
  const rounded = (ms: number) => Math.round(ms * 10) / 10
  return {
    value,
    cost: { ms: rounded(performance.now() - started), cpuMs: rounded((user + system) / 1000) },
  }
}
