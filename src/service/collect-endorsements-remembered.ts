/** Answers of a pure function, kept for the next time. The least recently used goes first: an attacker costs computation, never memory. */

export interface Remembered<T extends object> {
  /** `key` names everything that `make` reads. */
  readonly get: (key: string, make: () => T) => T
}

export function remembered<T extends object>(most: number): Remembered<T> {
  const answers = new Map<string, T>()
  return {
    get(key, make) {
      const answer = answers.get(key) ?? make()
      answers.delete(key)
      answers.set(key, answer)
      const oldest = answers.keys().next()
      if (answers.size > most && !oldest.done) answers.delete(oldest.value)
      return answer
    },
  }
}
