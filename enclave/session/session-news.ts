/** What is told to the owner of an agent about its session, as it happens, and how a session ends. */
import type { SessionState } from '../../src/rats/session-message.ts'
import type { ServiceRefusal } from '../client/faults.ts'

/** No texts of the verifier but refusals', which are cut and made visible: see faults.ts. */
export type SessionNews =
  | { readonly kind: 'opened'; readonly session: string }
  /** Of the one before; another begins. */
  | { readonly kind: 'reopening'; readonly because: string }
  | { readonly kind: 'quoted'; readonly because: string }
  | { readonly kind: 'state'; readonly state: SessionState }
  /** The verifier does not want this agent, or not this quote. Asked again later, since the policy may be mended. */
  | { readonly kind: 'refused'; readonly fault: ServiceRefusal }
  /** Nothing was answered, or the hardware made no report. `failed`: so many times in a row. */
  | { readonly kind: 'failing'; readonly fault: unknown; readonly failed: number }
  | { readonly kind: 'over'; readonly over: SessionOver }

/**
 * The reason of the session's signal, and of every rejection after it. `QUARANTINED` and `REVOKED`: the agent must stop.
 * `CLOSED`: its owner closed it.
 */
export class SessionOver extends Error {
  override readonly name = 'SessionOver'
  readonly state: Extract<SessionState, 'QUARANTINED' | 'REVOKED' | 'CLOSED'>

  constructor(state: SessionOver['state'], message: string, cause?: unknown) {
    super(message, { cause })
    this.state = state
  }
}
