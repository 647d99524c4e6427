/** Was this candidate refused a moment ago? Then it need not be judged at every look. */
import type { PolicyHead } from './policy-ports.ts'
import type { Clock } from './ports.ts'

export interface PolicyRefusals {
  readonly remember: (candidate: string, after: PolicyHead | undefined) => void
  /** Refused by the very policy that would judge it now, and not long ago. */
  readonly isRefused: (candidate: string, after: PolicyHead | undefined) => boolean
}

/** A commit never changes, and so mostly does not the verdict; but keys and approvals come to their time, and engines fail. */
const JUDGE_AGAIN_MS = 5 * 60_000

export function policyRefusals(clock: Clock): PolicyRefusals {
  let last: { readonly candidate: string; readonly after: number; readonly at: Date } | undefined
  return {
    remember(candidate, after) {
      last = { candidate, after: after?.sequence ?? 0, at: clock.now() }
    },
    isRefused: (candidate, after) =>
      last?.candidate === candidate &&
      last.after === (after?.sequence ?? 0) &&
      Math.abs(clock.now().getTime() - last.at.getTime()) < JUDGE_AGAIN_MS,
  }
}
