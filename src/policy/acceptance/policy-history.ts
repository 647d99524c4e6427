/** What does judging ask of a clone? Read access, by names of commits; what may not be there is told apart from what cannot be read. */
import type { PolicyFile } from '../policy.ts'

/** Read access to one clone. Nothing here reaches the network. Every method throws HistoryFault for what cannot be read. */
export interface PolicyHistory {
  /** First-parent commits after `from` up to and including `to`, oldest first; undefined when `from` is not among the first parents of `to`. `from` undefined: all. */
  readonly firstParents: (
    from: string | undefined,
    to: string,
  ) => Promise<readonly string[] | undefined>
  /** The raw commit object, as its signature covers it. */
  readonly commitObject: (commit: string) => Promise<Uint8Array>
  /** Paths that differ between two trees, without renames; `before` undefined compares with the empty tree. */
  readonly changedPaths: (before: string | undefined, after: string) => Promise<readonly string[]>
  /** Every file of a commit, or those under the given folders and files (`trust/`, `heartbeat.yaml`), in Git's order. Throws HistoryFault for links, submodules, unsafe paths and sizes beyond the limits. */
  readonly filesOf: (commit: string, under?: readonly string[]) => Promise<readonly PolicyFile[]>
}

/** The repository is not as it must be; the message is a sentence for its operator. */
export class HistoryFault extends Error {
  override readonly name: string = 'HistoryFault'
}

/**
 * A commit holds what no policy may hold: a link, a submodule, an unsafe path, too many files or bytes. `filesOf` and
 * `changedPaths` throw it where the content is at fault and no other copy would help, so that the commit is refused
 * (SchemaInvalid); any other HistoryFault means that nobody could tell.
 */
export class UnfitTree extends HistoryFault {
  override readonly name = 'UnfitTree'
}

/** A commit follows itself, with nothing in between. Undefined: `from` is not among the first parents of `to`. */
export async function commitsBetween(
  history: PolicyHistory,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<readonly string[] | undefined> {
  return from === to ? [] : await history.firstParents(from, to)
}
