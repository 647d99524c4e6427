/** Did this agent, while it ran, load and do only what its manifest approves? Every question that is asked of a message of a session. */
import type { Check } from '../../rats/check.ts'
import { behaviourChecks } from './behaviour-checks.ts'
import { budgetChecks } from './budget-checks.ts'
import { measurementChecks } from './measurement-checks.ts'
import { registerChecks } from './register-checks.ts'
import type { RuntimeSubject } from './runtime-subject.ts'
import { sessionChecks } from './session-checks.ts'

/** All are judged, always; none can be waived. What a failing one costs is consequence.ts. */
export const runtimeChecks: readonly Check<RuntimeSubject>[] = [
  ...sessionChecks,
  ...measurementChecks,
  ...behaviourChecks,
  ...budgetChecks,
  ...registerChecks,
]
