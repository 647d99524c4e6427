/** How does a refused candidate read? A condition, the commit at fault, and sentences that end with what to do. */

import { type FileMistake, mistakeText } from '../policy.ts'
import type { Acceptance } from './acceptance.ts'

export type Refusal = Extract<Acceptance, { readonly accepted: false }>

export function refusal({
  mistakes = [],
  ...rest
}: Omit<Refusal, 'accepted' | 'mistakes'> & { readonly mistakes?: Refusal['mistakes'] }): Refusal {
  return { accepted: false, ...rest, mistakes }
}

/** What this commit holds is wrong, file by file. */
export function schemaRefusal({
  commit,
  why,
  mistakes,
  mend = 'Correct this and commit again',
}: {
  readonly commit: string
  /** A clause: `it is no valid policy`. */
  readonly why: string
  readonly mistakes: readonly FileMistake[]
  readonly mend?: string
}): Refusal {
  return refusal({
    condition: 'SchemaInvalid',
    commit,
    message: `commit ${short(commit)} may not become policy, because ${why}. ${mend}:\n${listed(mistakes.map(mistakeText))}`,
    mistakes,
  })
}

/**
 * Every commit is judged, so one that is wrong in itself stays wrong below others. What was never accepted may be rewritten:
 * only what was accepted may not.
 */
export const AMEND =
  'Commits on top do not mend this: change the commit itself (`git commit --amend -S` or `git rebase`) and push with --force-with-lease; what was accepted before stays as it is'

/** Twelve digits are enough for people; the whole name stands beside every message. */
export function short(commit: string): string {
  return commit.slice(0, 12)
}

const MOST_LISTED = 20
const MOST_NAMES = 12

/** One a line, the first twenty. */
export function listed(lines: readonly string[]): string {
  const rest = lines.length - MOST_LISTED
  return [...lines.slice(0, MOST_LISTED), ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n')
}

/** `alice`, `alice or bob`, `alice, bob or carol` */
export function oneOf(names: readonly string[]): string {
  return joined(names, 'or')
}

export function allOf(names: readonly string[]): string {
  return joined(names, 'and')
}

function joined(names: readonly string[], last: string): string {
  if (names.length < 2) return names[0] ?? 'nobody'
  const rest = names.length - MOST_NAMES
  if (rest > 0) return `${names.slice(0, MOST_NAMES).join(', ')} ${last} ${rest} more`
  return `${names.slice(0, -1).join(', ')} ${last} ${names.at(-1)}`
}
