/**
 * Is this agent, since this machine started, in quarantine already? Its other sessions, open or to be opened, are watched by the same
 * collector on the same kernel: what one of them did, all did. So a quarantine is the agent's on that boot: all of its sessions come
 * into it together, and none gets anything until an operator released them, which he does for all of them together as well.
 *
 * The boot is what the agent says. A kernel that was taken over can name another, and can lie about everything else as well.
 */
import { Problem } from '../problems.ts'
import type { SessionRecord, Standing } from './session-ports.ts'
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

/**
 * Where the agent's other sessions on this boot have to stand to come along when one goes `from` one standing `to` another; none do
 * where this is empty. Whoever was in quarantine by himself, because he was just being opened or by a version of this service that
 * quarantined one at a time, is released with the others: while one is left none of them would get anything. Evicting one, or a ban,
 * takes nobody out of quarantine.
 */
export function othersComing(from: Standing, to: Standing): readonly Standing[] {
  if (to === 'quarantined') return ['open', 'suspended']
  return from === 'quarantined' && to === 'suspended' ? ['quarantined'] : []
}
