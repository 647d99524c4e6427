/**
 * Is this agent, since this machine started, in quarantine already? Its other sessions, open or to be opened, are watched by the same
 * collector on the same kernel: what one of them did, all did. Only an operator may let them go on.
 *
 * The boot is what the agent says. A kernel that was taken over can name another, and can lie about everything else as well.
 */
import { Problem } from '../problems.ts'
import type { SessionRecord } from './session-ports.ts'
import type { Verifier } from './verifier.ts'

export type AgentOnBoot = Pick<SessionRecord, 'id' | 'tenant' | 'environment' | 'agent' | 'boot'>

/** Throws Problem('session-over'): QUARANTINED, as if it were the session's own. */
export async function assertNoneQuarantined(
  { store }: Pick<Verifier, 'store'>,
  session: AgentOnBoot,
): Promise<void> {
  const other = await store.quarantinedSession(session)
  if (!other) return
  throw new Problem(
    'session-over',
    `session ${other.id} of this agent on this boot is QUARANTINED since ${other.changedAt.toISOString()}, by ${other.by}: an operator must release it first`,
    { members: { state: 'QUARANTINED' } },
  )
}
