/** `POST /v1/sessions/{id}/actions`: what an operator decides about a session, whatever its policy says. */
import { Problem } from '../problems.ts'
import {
  type ChangedSession,
  type ChangingSessions,
  changeStanding,
  type StandingChange,
} from './change-session.ts'
import type { SessionRecord } from './session-ports.ts'

/**
 * `quarantine`: tokens end, and nothing goes on until it is released. `release`: it may bring a full quote, and is then as
 * before. Both are of all sessions of its agent on its boot (session-quarantine.ts). `evict`: it is over; its agent may open another. `quote`: it must show itself anew, and holds on meanwhile.
 */
export const sessionActions = ['quarantine', 'release', 'evict', 'quote'] as const
export type SessionAction = (typeof sessionActions)[number]

export interface ActionRequest {
  readonly id: string
  readonly action: SessionAction
  readonly reason: string
  /** Name of the operator. */
  readonly by: string
}

/** Asked twice it is done once. Throws Problem: `session-unknown`, `session-action-refused`, `storage-unavailable`. */
export async function actOnSession(
  verifier: ChangingSessions,
  { id, action, reason, by }: ActionRequest,
  at: Date,
): Promise<ChangedSession> {
  return await changeStanding(verifier, id, {
    at,
    decide(session) {
      const change = actions[action](session)
      return change && { ...change, reason, by }
    },
  })
}

type Changed = Omit<StandingChange, 'reason' | 'by'>

/** Undefined: it is so already. */
const actions: Readonly<Record<SessionAction, (session: SessionRecord) => Changed | undefined>> = {
  quarantine(session) {
    assertNotOver(session, 'quarantined')
    if (session.standing === 'quarantined') return undefined
    return {
      ...{ standing: 'quarantined', demanded: undefined, change: 'quarantined' },
      revocation: 'operator',
    }
  },
  release(session) {
    assertNotOver(session, 'released')
    if (session.standing !== 'quarantined') return undefined
    return {
      ...{ standing: 'suspended', demanded: 'operator', change: 'released' },
      revocation: undefined,
    }
  },
  evict(session) {
    if (session.standing === 'revoked') return undefined
    assertNotOver(session, 'evicted')
    return {
      ...{ standing: 'revoked', demanded: undefined, change: 'evicted' },
      revocation: 'operator',
    }
  },
  quote(session) {
    assertNotOver(session, 'asked for a quote')
    if (session.standing === 'quarantined')
      throw refused(session, 'is quarantined: release it, which asks for a quote as well')
    if (session.demanded === 'operator') return undefined
    const { standing } = session
    return { standing, demanded: 'operator', change: 'quote-demanded', revocation: undefined }
  },
}

function assertNotOver(session: SessionRecord, what: string): void {
  if (session.standing === 'revoked' || session.standing === 'closed')
    throw refused(session, `is ${session.standing} and cannot be ${what}`)
}

function refused({ id }: SessionRecord, why: string): Problem {
  return new Problem('session-action-refused', `session ${id} ${why}`)
}
