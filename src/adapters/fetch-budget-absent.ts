/** What did a vendor say that it does not have? Remembered for a while and in bounded number, so that asking again costs nothing. */

export interface AbsentSettings {
  readonly seconds: number
  /** The oldest is forgotten first: an attacker who invents chips costs fetches (from the budget), never memory. */
  readonly most: number
}

export interface Absent {
  readonly remember: (name: string, at: Date) => void
  readonly forget: (name: string) => void
  /** Seconds for which `name` need not be asked for; 0 when it may be. */
  readonly secondsLeft: (name: string, at: Date) => number
}

export function absent({ seconds, most }: AbsentSettings): Absent {
  const until = new Map<string, number>()
  return {
    remember(name, at) {
      until.delete(name)
      until.set(name, at.getTime() / 1000 + seconds)
      const oldest = until.keys().next()
      if (until.size > most && !oldest.done) until.delete(oldest.value)
    },
    forget: (name) => until.delete(name),
    secondsLeft(name, at) {
      const left = (until.get(name) ?? 0) - at.getTime() / 1000
      // More than was ever left means that the clock was set back.
      if (left > 0 && left <= seconds + 1) return left
      until.delete(name)
      return 0
    },
  }
}
