/** What is whoever asked told when the transaction of a release, or of a renewal, found that it may not be? */
import { Problem } from '../problems.ts'
import { policyNotRead } from './policy-in-force.ts'
import { proofUsed } from './possession.ts'
import type { ReleaseRefusal } from './release-ports.ts'

const MINUTE_MS = 60_000

/** All but what is looked at again: a resource that changed, a version that was revoked, an approval that ended. */
export function refusalProblem(
  refusal: Exclude<ReleaseRefusal, 'resource-changed' | 'version-revoked' | 'approval-missing'>,
  { at, resource }: { readonly at: Date; readonly resource: string },
): Problem {
  switch (refusal) {
    case 'token-revoked':
      return new Problem(
        'possession-token-refused',
        'the token does not count here: it was revoked, or it ended, before the release was recorded',
      )
    case 'session-over':
      return new Problem(
        'session-over',
        `${resource} is not given to this session: it is not open, or was silent for too long, when the release was recorded`,
      )
    case 'proof-used':
      return proofUsed()
    case 'policy-behind':
      return policyNotRead()
    case 'too-many-releases':
      // Counts begin anew with each minute of the clock.
      return new Problem(
        'too-many-requests',
        `${resource} was released as often in this minute as it may be`,
        { retryAfterSeconds: Math.ceil((MINUTE_MS - (at.getTime() % MINUTE_MS)) / 1000) },
      )
  }
}
