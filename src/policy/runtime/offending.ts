/** How is it said what an agent did that it may not do? The first few are named, and all are counted: an attacker may send thousands. */
import { type Refusal, refuse } from '../../rats/check.ts'
import { visible } from '../visible-text.ts'

const MOST_NAMED = 4

export interface Offence {
  /** `3 programs were started that the release does not approve`, without what they were. */
  readonly what: string
  /** One line for each, as the collector reported them. */
  readonly each: readonly string[]
  readonly expected: string | readonly string[]
  /** What to do, for whoever answers for the agent. */
  readonly next: string
}

/** True where nothing offends. */
export function unlessOffended({ what, each, expected, next }: Offence): true | Refusal {
  if (each.length === 0) return true
  const named = [...new Set(each)].slice(0, MOST_NAMED).map(visible)
  const more = each.length > named.length ? ` and others, ${each.length} in all` : ''
  return refuse(`${what}: ${named.join('; ')}${more}: ${next}`, named, expected)
}
