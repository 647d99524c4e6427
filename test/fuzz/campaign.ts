/** One bounded run of a target over mutated inputs, and what it found. */
import { mutate, seededChance } from './mutations.ts'
import { escapedFrom, type Target } from './targets.ts'

export interface Campaign {
  readonly inputs: number
  readonly slowestMs: number
  /** Inputs that let something other than Malformed out, or took longer than the limit twice in a row; at most ten. */
  readonly findings: readonly { readonly input: string; readonly what: string }[]
}

const LIMIT_MS = 50

export function run(
  target: Target,
  { inputs, seed, until }: { inputs: number; seed: number; until?: () => boolean },
): Campaign {
  const chance = seededChance(seed)
  const findings: { input: string; what: string }[] = []
  let slowestMs = 0
  let done = 0
  for (; done < inputs && findings.length < 10 && !until?.(); done++) {
    const from = target.seeds[chance.int(target.seeds.length)] ?? new Uint8Array()
    const input = mutate(from, chance)
    const first = timed(target, input)
    // On a shared machine a pause of the scheduler looks like a slow input: a second look tells them apart.
    const tookMs = first.tookMs > LIMIT_MS ? timed(target, input).tookMs : first.tookMs
    slowestMs = Math.max(slowestMs, tookMs)
    const what = first.escaped ?? (tookMs > LIMIT_MS ? `${tookMs.toFixed(0)} ms` : undefined)
    if (what !== undefined)
      findings.push({ input: Buffer.from(input).toString('base64'), what: String(what) })
  }
  return { inputs: done, slowestMs, findings }
}

function timed(target: Target, input: Uint8Array) {
  const started = performance.now()
  const escaped = escapedFrom(target, input)
  return { escaped, tookMs: performance.now() - started }
}
