/** What has been used since the interval before? Sums, from looks, from the sensor and from the agent’s model calls. */
import type { Behaviour } from '../../src/rats/runtime-event.ts'
import type { ModelSpending } from './collector.ts'
import type { LookUsage } from './look.ts'

export interface KernelSums {
  readonly systemCalls: Readonly<Record<string, number>>
  /** By place and access: `read /etc/ssl`. */
  readonly opens: ReadonlyMap<string, number>
  readonly bytesSent: number
  readonly bytesReceived: number
}

/** `longest`: characters; the event as a whole must stay below LONGEST_EVENT. */
const OPENS = { most: 255, longest: 6 * 1024 }
const SYSTEM_CALLS = { most: 511, longest: 9 * 1024 }
/** Those that are in none of the others. */
const OTHER = 'other'

export class RunningInterval {
  #systemCalls = new Map<string, number>()
  #opens = new Map<string, number>()
  #sums = { bytesSent: 0, bytesReceived: 0, modelTokens: 0, modelMicroUsd: 0 }
  #startedMs: number
  #cpuSeconds: number | undefined

  constructor(startedMs: number) {
    this.#startedMs = startedMs
  }

  spent({ tokens, microUsd }: ModelSpending): void {
    this.#add('modelTokens', tokens)
    this.#add('modelMicroUsd', microUsd)
  }

  kernel({ systemCalls, opens, bytesSent, bytesReceived }: KernelSums): void {
    this.#add('bytesSent', bytesSent)
    this.#add('bytesReceived', bytesReceived)
    for (const [call, count] of Object.entries(systemCalls)) add(this.#systemCalls, call, count)
    for (const [place, count] of opens) add(this.#opens, place, count)
  }

  /** Up to what an event can say: whoever spends more may not get rid of the interval by it. */
  #add(sum: 'bytesSent' | 'bytesReceived' | 'modelTokens' | 'modelMicroUsd', count: number): void {
    this.#sums[sum] = wholeCount(this.#sums[sum] + wholeCount(count))
  }

  /** The interval up to `nowMs`; the next begins there. */
  end(nowMs: number, usage: LookUsage): Behaviour {
    const before = this.#cpuSeconds ?? usage.cpuSeconds
    const event: Behaviour = {
      kind: 'interval',
      milliseconds: wholeCount(nowMs - this.#startedMs),
      // Processes that ended take their sum with them where no control group keeps it.
      cpuMillis: wholeCount(Math.max(0, usage.cpuSeconds - before) * 1000),
      memoryMiB: wholeCount(usage.memoryBytes / 2 ** 20),
      processes: wholeCount(usage.processes),
      ...this.#sums,
      systemCalls: bounded(this.#systemCalls, SYSTEM_CALLS),
      opens: bounded(this.#opens, OPENS),
    }
    this.#startedMs = nowMs
    this.#cpuSeconds = usage.cpuSeconds
    this.#sums = { bytesSent: 0, bytesReceived: 0, modelTokens: 0, modelMicroUsd: 0 }
    this.#systemCalls = new Map()
    this.#opens = new Map()
    return event
  }
}

/** The most frequent; the rest in one sum, so that it is still an event. */
function bounded(
  all: ReadonlyMap<string, number>,
  { most, longest }: { readonly most: number; readonly longest: number },
): Record<string, number> {
  const named: Record<string, number> = {}
  let entries = 0
  let characters = 0
  let rest = 0
  for (const [name, count] of [...all].toSorted(([, a], [, b]) => b - a)) {
    characters += JSON.stringify(name).length + `${count}`.length + 2
    if (characters <= longest && entries < most) {
      named[name] = count
      entries++
    } else rest += count
  }
  return rest === 0 ? named : { ...named, [OTHER]: wholeCount(rest + (named[OTHER] ?? 0)) }
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count)
}

function wholeCount(value: number): number {
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`${value} is no count`)
  return Math.min(Math.round(value), Number.MAX_SAFE_INTEGER)
}
