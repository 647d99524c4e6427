/** Which verdict of a Go library goes with each of ours: the same one, in its own words, but for listed differences. */
import { expect } from 'vitest'

/** What the library must answer. */
export interface Theirs {
  /** For test names. */
  readonly says: string
  readonly verdict: {
    readonly accepted: boolean
    /** What its error must look like: it must refuse for the same reason and not for any. */
    readonly error: unknown
  }
}

export interface VerdictTable {
  /** Our check to their error, for evidence that both refuse for one reason. */
  readonly words: Readonly<Record<string, RegExp>>
  /** Fixture to their verdict, where theirs is another than ours or has another reason. */
  readonly differences: Readonly<Record<string, Theirs>>
}

/** `reason` completes the sentence "the library …" and is given where we refuse. */
export function accepts(reason?: string): Theirs {
  return { says: because('theirs accepts', reason), verdict: { accepted: true, error: '' } }
}

/** `reason` is given where we accept, or refuse for something else. */
export function refuses(error: RegExp, reason?: string): Theirs {
  const matching: unknown = expect.stringMatching(error)
  return { says: because('theirs refuses', reason), verdict: { accepted: false, error: matching } }
}

/** Matches no verdict where no row is about it: somebody must have looked at each difference. */
export function theirVerdict(
  { words, differences }: VerdictTable,
  { name, expect: ours }: { readonly name: string; readonly expect: string },
): Theirs {
  const listed = differences[name]
  if (listed) return listed
  if (ours === 'pass') return accepts()
  const error = words[ours]
  return error ? refuses(error) : refuses(/^no row says how the library words this$/)
}

function because(verdict: string, reason: string | undefined): string {
  return reason === undefined ? verdict : `${verdict} (it ${reason})`
}
