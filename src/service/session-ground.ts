/**
 * Is the session that a token is of still one that may be given secrets? Only while it is ACTIVE: one that is late may run on, and
 * what left for it cannot be called back. Whoever attested alone is asked nothing here; what it may have says the resource.
 */
import { Problem } from '../problems.ts'
import { momentOf, sessionOver } from './known-session.ts'
import type { HeardSession } from './release-ports.ts'
import { assertNoneQuarantined } from './session-quarantine.ts'
import { heardSince, stateOf } from './session-state.ts'
import type { TokenRecord } from './token-ports.ts'
import type { Call, Verifier } from './verifier.ts'

/**
 * What the transaction of the release has to see again, with the session's row held. Undefined: the token is of no session.
 * Throws Problem: `session-over`, `storage-unavailable`.
 */
export async function sessionGround(
  verifier: Pick<Verifier, 'store' | 'outages'>,
  { session: id, tenant, jkt }: Pick<TokenRecord, 'session' | 'tenant' | 'jkt'>,
  { at }: Pick<Call, 'at'>,
): Promise<HeardSession | undefined> {
  if (id === undefined) return undefined
  const session = await verifier.store.findSession(id)
  // Whoever attests alone may claim any session: it counts for the key that opened it.
  if (session?.tenant !== tenant || session.jkt !== jkt)
    throw new Problem(
      'session-over',
      `the token names session ${id}, and its key has none of that id`,
    )
  const state = stateOf(session, momentOf(verifier, { at }))
  if (state !== 'ACTIVE') throw sessionOver(session, state)
  await assertNoneQuarantined(verifier, session)
  return { id, heardSince: heardSince(at, session) }
}
