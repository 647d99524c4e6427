/** How much of its budget has a session spent, with this message? */
import type { RuntimeUsage } from '../../rats/runtime-usage.ts'
import { behavioursIn } from './runtime-subject.ts'

const MINUTE_MS = 60_000
/** A rate over less than a second says nothing. */
const SHORTEST_MS = 1000

/**
 * `behaviour`: events of one message, verbatim. `at`: the verifier's clock, which decides to which day (UTC) they belong.
 *
 * Tokens of the last minute fade evenly: what a model call costs at once is no rate, and what is spent steadily is counted in
 * full. Processor and memory are the highest of the message's intervals. Without an interval nothing changes.
 */
export function usageAfter(
  usage: RuntimeUsage,
  behaviour: readonly string[],
  at: Date,
): RuntimeUsage {
  const intervals = behavioursIn(behaviour).events.filter((event) => event.kind === 'interval')
  if (intervals.length === 0) return usage
  const day = at.toISOString().slice(0, 10)
  let modelMicroUsd = usage.day === day ? usage.modelMicroUsd : 0
  let { modelTokensPerMinute } = usage
  let cpuMillis = 0
  let memoryMiB = 0
  for (const interval of intervals) {
    modelMicroUsd += interval.modelMicroUsd
    const left = Math.max(0, 1 - interval.milliseconds / MINUTE_MS)
    const perMinute = Math.min(1, MINUTE_MS / Math.max(interval.milliseconds, 1))
    modelTokensPerMinute = modelTokensPerMinute * left + interval.modelTokens * perMinute
    const seconds = Math.max(interval.milliseconds, SHORTEST_MS) / 1000
    cpuMillis = Math.max(cpuMillis, Math.round(interval.cpuMillis / seconds))
    memoryMiB = Math.max(memoryMiB, interval.memoryMiB)
  }
  return {
    day,
    modelMicroUsd: counted(modelMicroUsd),
    modelTokensPerMinute: counted(Math.round(modelTokensPerMinute)),
    cpuMillis,
    memoryMiB,
  }
}

/** Sums of a lying collector stay numbers that every store can hold. */
function counted(sum: number): number {
  return Math.min(sum, Number.MAX_SAFE_INTEGER)
}
