/** `POST /v1/sessions/{id}/close`: the agent is done. Its tokens end with its session, so that nobody uses what it left behind. */
import { RENEWAL_TYPE, renewalPayload, type SessionAnswer } from '../rats/session-message.ts'
import { changeStanding } from './change-session.ts'
import {
  assertNotOver,
  judgingPolicy,
  knownSession,
  momentOf,
  nonceRefused,
  type SentMessage,
} from './known-session.ts'
import { answerOf } from './session-record.ts'
import { stateOf } from './session-state.ts'
import { openSessionMessage } from './signed-session-message.ts'
import type { Call, Verifier } from './verifier.ts'

const BY = 'agent'

/** Asked twice it is done once. Throws Problem: as heartbeat, but that a suspended session may be closed. */
export async function closeSession(
  verifier: Verifier,
  { id, body, admit }: SentMessage,
  call: Call,
): Promise<SessionAnswer> {
  const known = await knownSession(verifier, id)
  const message = openSessionMessage(body, known.session, {
    ...{ typ: RENEWAL_TYPE, schema: renewalPayload },
    htu: `${verifier.publicUrl}/v1/sessions/${id}/close`,
  })
  await admit(known.session)
  const telling = {
    ...momentOf(verifier, call),
    policy: judgingPolicy(known.tenant, call.at),
  }
  const { session } = await changeStanding(verifier, id, {
    at: call.at,
    decide(current) {
      // Its answer was lost.
      if (stateOf(current, telling) === 'CLOSED') return undefined
      assertNotOver(current, telling)
      if (message.session !== id || message.nonce !== current.nonce)
        throw nonceRefused(current, telling, 'the nonce is not that of the last answer')
      return {
        ...{ standing: 'closed', demanded: undefined, change: 'closed' },
        ...{ reason: 'its agent closed it', by: BY, revocation: 'policy' },
      }
    },
  })
  return answerOf(session, telling)
}
