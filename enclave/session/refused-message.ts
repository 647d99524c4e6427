/** What follows when the verifier refuses a message of a session? */
import { ServiceRefusal } from '../client/faults.ts'
import { isPassing } from '../client/retrying.ts'
import { SessionOver } from './session-news.ts'

export type Consequence =
  /** The very same bytes again: whether they arrived is not known. */
  | { readonly kind: 'repeat' }
  /** They count for nothing, but others may do better in a while. */
  | { readonly kind: 'later' }
  | { readonly kind: 'quote' }
  /** The next message is to hold the nonce that the refusal names. */
  | { readonly kind: 'other-nonce' }
  /** A heartbeat mends it. */
  | { readonly kind: 'late' }
  | { readonly kind: 'reopen'; readonly because: string }
  | { readonly kind: 'over'; readonly over: SessionOver }

/**
 * The verifier does not know the session, or knows less or more of it than was said: after its database was restored, when two
 * agents have one memory, when the machine started again. Only another session mends that; whether this one was forked is the
 * verifier's to judge.
 */
const mendedByOpening = ['session-behind', 'session-unknown', 'session-exists']

export function consequenceOf(fault: unknown): Consequence {
  // No answer, or one that says nothing: a message whose fate is unknown may only be said again as it was.
  if (!(fault instanceof ServiceRefusal)) return { kind: 'repeat' }
  const { code, sessionState: state } = fault
  if (code === 'session-evidence-needed') return { kind: 'quote' }
  if (code === 'session-nonce-refused') return { kind: 'other-nonce' }
  if (code === 'session-chain-broken') return overBy(fault, 'REVOKED')
  // Any other state passes: a session that is late is mended by a heartbeat.
  if (code === 'session-over' && state === 'CLOSED')
    return { kind: 'reopen', because: 'the verifier closed it' }
  if (code === 'session-over' && (state === 'QUARANTINED' || state === 'REVOKED'))
    return overBy(fault, state)
  if (code === 'session-over') return { kind: 'late' }
  if (mendedByOpening.includes(code)) return { kind: 'reopen', because: fault.detail }
  // Written by something in front of the service, which knows nothing of what the service took.
  if (code === 'no-problem-document') return { kind: 'repeat' }
  const isJudged = code.startsWith('challenge-') || !(isPassing(fault) || fault.status >= 500)
  return { kind: isJudged ? 'later' : 'repeat' }
}

function overBy(fault: ServiceRefusal, state: 'QUARANTINED' | 'REVOKED'): Consequence {
  return {
    kind: 'over',
    over: new SessionOver(state, `the session is over: ${fault.detail}`, fault),
  }
}
