/** The store for unit tests: as atomic as a single thread makes it, and gone with the process. */
import type { Store } from '../service/ports.ts'
import { memoryAppraisals } from './memory-appraisals.ts'
import { memoryEvents } from './memory-events.ts'
import { memoryKeys } from './memory-keys.ts'
import { memoryLog } from './memory-log.ts'
import { memoryPolicies } from './memory-policies.ts'
import { memoryReleases } from './memory-releases.ts'
import { memorySessions } from './memory-sessions.ts'
import { memoryTokens } from './memory-tokens.ts'

/** Every method throws what the others throw, so that a test on this store finds what would fail on them. */
export function memoryStore(): Store {
  const { publish, ...events } = memoryEvents()
  const { queue, ...log } = memoryLog()
  const { prepare, isLive, proofs, ofSessions, ...tokens } = memoryTokens({ publish, queue })
  const { record, ...appraisals } = memoryAppraisals({ prepareTokens: prepare, queue })
  const { acceptedCommit, ...policies } = memoryPolicies({ publish, queue })
  const { isHeard, ...sessions } = memorySessions({ publish, queue, record, prepare, ofSessions })
  return {
    ...appraisals,
    ...policies,
    ...memoryKeys({ publish, queue }),
    ...tokens,
    ...events,
    ...log,
    ...memoryReleases({ queue, isLive, proofs, isHeard, acceptedCommit }),
    ...sessions,
    ping: async () => {},
    close: async () => {},
  }
}
