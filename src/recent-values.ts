/** What was asked for lately, up to a weight: values that can always be had again, at a price. */

export interface RecentValues<V> {
  readonly get: (key: string) => V | undefined
  readonly put: (key: string, value: V) => void
}

/**
 * Two generations: what is asked for moves to the younger one, and when that weighs `most` the older one is forgotten
 * whole. So whatever was used since then is kept, and never more than twice `most`.
 */
export function recentValues<V>(most: number, weightOf: (value: V) => number): RecentValues<V> {
  let young = new Map<string, V>()
  let old = new Map<string, V>()
  let weight = 0

  function put(key: string, value: V): void {
    const added = weightOf(value)
    if (added > most) return
    if (weight + added > most) {
      old = young
      young = new Map()
      weight = 0
    }
    young.set(key, value)
    weight += added
  }

  return {
    get(key) {
      const fresh = young.get(key)
      if (fresh !== undefined) return fresh
      const aged = old.get(key)
      if (aged !== undefined) put(key, aged)
      return aged
    },
    put,
  }
}
