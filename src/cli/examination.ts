/** One question of `vouchsafe doctor`: what it is called, what may come of it, and what to do when it is not well. */

export interface Examination {
  readonly name: string
  readonly advice: string
  /** Resolves to what was found; rejects when it will not do. */
  readonly examine: () => Promise<string | Warning>
}

export interface Warning {
  readonly warning: string
  readonly advice?: string
}

export function warns(name: string, warning: string, advice: string): Examination {
  return { name, advice, examine: async () => ({ warning }) }
}
