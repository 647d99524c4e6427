/** Why supplied bytes could not be read, as a refusal: a parser's own error becomes the check's sentence. */
import { Malformed } from '../../bytes/malformed.ts'
import { type Refusal, refuse } from '../../rats/check.ts'

export function malformation(what: string, cause: unknown): Refusal {
  if (cause instanceof Malformed)
    return refuse(`${what} is malformed: ${cause.message}`, cause.observed, cause.expected)
  const message = cause instanceof Error ? cause.message : String(cause)
  return refuse(`${what} is malformed: ${message}`, message, null)
}

/** Stands where a rule could not be asked because one before it failed; judged in sequence, no caller is told of it. */
export const unreached: Refusal = refuse('a rule before this one failed', null, null)

/** The value of a stage that an earlier check has proven to be there. The throw is a refusal: judges that throw refuse. */
export function reached<T>(value: T | undefined): T {
  if (value === undefined) throw new Error(unreached.sentence)
  return value
}
