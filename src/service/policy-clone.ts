/** The clone of a tenant's policy repository, as the reconciler uses it: opened when it can be, and every fetch told to the board. */
import type { ConditionBoard } from './policy-conditions.ts'
import type { PolicyMirror } from './policy-ports.ts'

export interface PolicyClone {
  /** Throws what the opening throws, and opens again at the next call. */
  readonly opened: () => Promise<PolicyMirror>
  /** The remote's commit. Throws HistoryFault. */
  readonly fetched: (mirror: PolicyMirror) => Promise<string>
  /** Throws HistoryFault, and then tries again at the next call: without it the clone proves nothing after a restore. */
  readonly keep: (mirror: PolicyMirror, commit: string) => Promise<void>
}

export function policyClone(
  open: () => Promise<PolicyMirror>,
  board: Pick<ConditionBoard, 'fetching' | 'reached'>,
): PolicyClone {
  let opening: Promise<PolicyMirror> | undefined
  let kept: string | undefined
  return {
    async opened() {
      opening ??= open()
      try {
        return await opening
      } catch (cause) {
        opening = undefined
        throw cause
      }
    },
    async fetched(mirror) {
      board.fetching()
      const candidate = await mirror.fetch()
      board.reached()
      return candidate
    },
    async keep(mirror, commit) {
      if (kept === commit) return
      await mirror.keepAccepted(commit)
      kept = commit
    },
  }
}
