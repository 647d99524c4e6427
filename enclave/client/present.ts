/** How does an agent ask in its own name? With its token, and a new proof for each attempt, as no proof is taken twice. */
import type { AgentKeys } from '../attestation.ts'
import { dpopProof } from './dpop.ts'
import { ServiceRefusal } from './faults.ts'
import type { Attested, FreshToken } from './fresh-token.ts'
import { retrying } from './retrying.ts'
import { callService, type ServiceAnswer } from './service-call.ts'
import type { Surroundings } from './surroundings.ts'

export interface Presented extends Pick<ServiceAnswer, 'document'> {
  /** `jti` of the token and of the proof that were sent: what the answer must be about. */
  readonly token: string
  readonly proof: string
}

/** `body`: JSON. Throws ServiceRefusal, ServiceUnreachable, AnswerDistrusted. */
export type Present = (path: string, body: string, signal?: AbortSignal) => Promise<Presented>

export interface Presenting {
  /** Public address of the service. */
  readonly service: string
  readonly keys: AgentKeys
  readonly fresh: FreshToken
  readonly surroundings: Surroundings
}

/**
 * A token that was revoked, or that a restored database has forgotten; a proof that a clock which has jumped dated. Both mend
 * themselves by attesting anew, where the agent still may.
 */
const MENDED_BY_ATTESTING = ['possession-token-refused', 'possession-proof-refused']

export function presenting({ service, keys, fresh, surroundings }: Presenting): Present {
  const once = async ({ possession }: Attested, { path, body, signal }: Question) => {
    const address = `${service}${path}`
    const { proof, jti } = await dpopProof(keys.sig, {
      method: 'POST',
      address,
      token: possession.token,
      body,
      atSeconds: fresh.serviceSeconds(),
    })
    const headers = { authorization: `DPoP ${possession.token}`, dpop: proof }
    const call = { method: 'POST', address, body, headers, signal } as const
    const { document } = await callService(surroundings, call)
    return { document, token: possession.jti, proof: jti }
  }
  const patiently = async (question: Question): Promise<Presented> => {
    const attested = await fresh.current()
    try {
      return await retrying(() => once(attested, question), {
        ...surroundings,
        signal: question.signal,
      })
    } catch (fault) {
      if (isMendable(fault)) fresh.discard(attested.possession.jti)
      throw fault
    }
  }
  return async (path, body, signal) => {
    const question = { path, body, signal }
    try {
      return await patiently(question)
    } catch (fault) {
      if (!isMendable(fault)) throw fault
      return await patiently(question)
    }
  }
}

interface Question {
  readonly path: string
  readonly body: string
  readonly signal: AbortSignal | undefined
}

function isMendable(fault: unknown): boolean {
  return (
    fault instanceof ServiceRefusal &&
    fault.status === 401 &&
    MENDED_BY_ATTESTING.includes(fault.code)
  )
}
