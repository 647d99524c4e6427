/** Work that overlaps and yet arrives in order, with a bound on how far it runs ahead. */

/** `make` is asked for 0, 1, 2 ... `ahead` at a time. When one rejects, or the reader leaves, nothing is under way any more. */
export async function* inOrder<T>(
  count: number,
  ahead: number,
  make: (index: number) => Promise<T>,
): AsyncGenerator<T> {
  const underway: Promise<T>[] = []
  let next = 0
  try {
    for (let index = 0; index < count; index++) {
      while (next < count && underway.length < ahead) {
        underway.push(quiet(make(next)))
        next += 1
      }
      const first = underway.shift()
      if (first !== undefined) yield await first
    }
  } finally {
    await Promise.allSettled(underway)
  }
}

/** Each through `step`, begun in order, up to `ahead` under way. */
export async function* through<T, U>(
  source: AsyncIterable<T>,
  ahead: number,
  step: (value: T) => Promise<U>,
): AsyncGenerator<U> {
  const underway: Promise<U>[] = []
  try {
    for await (const value of source) {
      underway.push(quiet(step(value)))
      const first = underway.length > ahead ? underway.shift() : undefined
      if (first !== undefined) yield await first
    }
    for (let first = underway.shift(); first !== undefined; first = underway.shift())
      yield await first
  } finally {
    await Promise.allSettled(underway)
  }
}

/**
 * Several at a time, so that all cores have work though a hash is a chain. Once one fails no other begins, and those that are
 * under way end at their next call of `stopped`, which throws then.
 */
export async function inLanes<T, U>(
  items: readonly T[],
  lanes: number,
  work: (item: T, index: number, stopped: () => void) => Promise<U>,
): Promise<readonly U[]> {
  const results: U[] = []
  const queue = items.entries()
  const faults: unknown[] = []
  const stopped = () => {
    if (faults.length > 0) throw new Error('another was in vain')
  }
  const lane = async () => {
    for (const [index, item] of queue) {
      if (faults.length > 0) return
      try {
        results[index] = await work(item, index, stopped)
      } catch (cause) {
        faults.push(cause)
      }
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  if (faults.length > 0) throw faults[0]
  return results
}

/** `ahead`: how many of one item may be under way beside the others, so that their number does not grow with both. */
export function lanesFor(
  items: number,
  cores: number,
): { readonly lanes: number; readonly ahead: number } {
  const lanes = Math.min(items, cores)
  return { lanes, ahead: Math.ceil(cores / lanes) }
}

/** A rejection that nobody waits for yet is none that nobody handles. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
