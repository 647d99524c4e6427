/**
 * Would everything that a session has measured so far be approved by this policy? What it measured is kept, so that another policy
 * can judge it; what it did (its behaviour) was judged when it was told, and is not kept.
 */
import type { Policy } from '../policy/policy.ts'
import { runtimeChecks } from '../policy/runtime/runtime-checks.ts'
import type { RuntimeSubject } from '../policy/runtime/runtime-subject.ts'
import { checklist, type Finding, judgeAll, type Waivers } from '../rats/check.ts'
import type { AgentRelease } from '../rats/release.ts'
import type { SessionDelta, SessionRecord } from './session-ports.ts'

const noWaivers: Waivers = new Map()

/** Those that fail; a sentence where the policy has no session for this agent at all, and so approves nothing. */
export function failingOfStored(
  session: SessionRecord,
  deltas: readonly SessionDelta[],
  policy: Policy | undefined,
): readonly Finding[] | string {
  if (!policy) return 'no policy is in force'
  const { environment, agent } = session
  const release = policy.releaseOf(environment, agent)
  if (!release) return `policy ${policy.commit} approves nothing named ${environment}/${agent}`
  if (!release.runtime) return `${release.manifest.file} has no section runtime any more`
  return findingsOfStored(session, { deltas, policy, release }).filter(
    ({ outcome }) => outcome === 'fail' || outcome === 'not-reached',
  )
}

interface Stored {
  readonly deltas: readonly SessionDelta[]
  readonly policy: Policy
  readonly release: AgentRelease
}

function findingsOfStored(
  session: SessionRecord,
  { deltas, policy, release }: Stored,
): readonly Finding[] {
  const { boot, seq, dropped, uptimeMs, collector, modes, usage } = session
  const subject: RuntimeSubject = {
    release,
    statement: {
      ...{ boot, collector, modes },
      ...{ seq: String(seq), dropped: String(dropped), uptime: String(uptimeMs) },
    },
    before: undefined,
    measurement: deltas.flatMap(({ measurement }) => measurement),
    behaviour: [],
    usage,
    register: undefined,
    revoked: policy.revocations.digests,
  }
  const findings: Finding[] = []
  judgeAll(checklist(runtimeChecks), subject, noWaivers, findings)
  return findings
}
