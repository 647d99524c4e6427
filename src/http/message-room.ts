/** Whose messages are still heard at this address? Strangers' are counted by it, and those of known sessions are not. */
import { Problem, type ProblemCode } from '../problems.ts'
import { recentValues } from '../recent-values.ts'
import type { SentMessage } from '../service/known-session.ts'
import { receivedBytes } from './request-body.ts'
import type { Asked } from './route.ts'

export interface MessageRoom {
  /** A session of that id was opened here, or spoke. */
  readonly know: (id: string) => void
  /** Before a body is read. Throws Problem('too-many-requests'). */
  readonly before: (asked: Asked) => Promise<void>
  /** Counts what `hear` finds to be a session's against it, and what is of none against the caller. */
  readonly heard: <T>(asked: Asked, hear: (sent: SentMessage) => Promise<T>) => Promise<T>
}

/** Sessions that this replica heard lately: some 10 MB. */
const MOST_KNOWN = 65_536
/** Messages that come under the name of a known session and are not its own, since its last. */
const MOST_FOREIGN = 8

/**
 * Whoever sends too much that is of no session is heard no more at his address, but for sessions that are known: an agent behind
 * the same address is heard on. Who knows an agent's session, and sends under its name, has little of that.
 */
export function messageRoom(): MessageRoom {
  const known = recentValues<{ foreign: number }>(MOST_KNOWN, () => 1)
  const know = (id: string) => {
    const own = known.get(id)
    if (own) own.foreign = 0
    else known.put(id, { foreign: 0 })
  }
  return {
    know,
    async before({ parameters: { id = '' }, messages }: Asked): Promise<void> {
      if ((known.get(id)?.foreign ?? MOST_FOREIGN) >= MOST_FOREIGN) await messages.beforeMessage()
    },
    async heard<T>(
      { request, parameters: { id = '' }, messages }: Asked,
      hear: (sent: SentMessage) => Promise<T>,
    ): Promise<T> {
      try {
        return await hear({
          id,
          body: receivedBytes(request),
          admit: async (session) => {
            know(session.id)
            await messages.forSession(session)
          },
        })
      } catch (fault) {
        if (fault instanceof Problem && ofNoSession.includes(fault.code)) {
          const own = known.get(id)
          if (own) own.foreign++
          await messages.refusedMessage()
        }
        throw fault
      }
    },
  }
}

const ofNoSession: readonly ProblemCode[] = ['session-unknown', 'session-message-refused']
