/**
 * Interleaved measurement: every round runs every variant for the same time in rotated order, so that a machine that
 * speeds up or slows down does so for all. CPU time of the whole process (JIT, GC and thread pool included), medians over rounds.
 */

export interface Measured {
  /** CPU microseconds for one call. */
  readonly cpuMicros: number
}

export interface Plan {
  readonly rounds: number
  readonly batchMs: number
}

export function interleave<Name extends string>(
  variants: Readonly<Record<Name, () => unknown>>,
  { rounds, batchMs }: Plan,
): Readonly<Record<Name, Measured>> {
  // The keys of a record that was written with names of type Name.
  const names = Object.keys(variants) as Name[]
  const calls = new Map(names.map((name) => [name, callsPerBatch(variants[name], batchMs)]))
  const samples = new Map(names.map((name): [Name, number[]] => [name, []]))
  for (let round = 0; round < rounds; round++)
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length]
      if (name === undefined) continue
      samples.get(name)?.push(cpuMicrosPerCall(variants[name], calls.get(name) ?? 1))
    }
  const measured = names.map((name): [Name, Measured] => [
    name,
    { cpuMicros: median(samples.get(name) ?? []) },
  ])
  // One entry for each key of `variants`.
  return Object.fromEntries(measured) as Record<Name, Measured>
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** Also the warm-up: what is counted later was compiled here. */
function callsPerBatch(run: () => unknown, batchMs: number): number {
  let calls = 1
  for (;;) {
    const started = performance.now()
    for (let call = 0; call < calls; call++) run()
    const took = performance.now() - started
    if (took >= batchMs) return Math.max(1, Math.round((calls * batchMs) / took))
    calls *= 2
  }
}

function cpuMicrosPerCall(run: () => unknown, calls: number): number {
  const before = process.cpuUsage()
  for (let call = 0; call < calls; call++) run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / calls
}
