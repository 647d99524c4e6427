/**
 * How many bytes of unanswered bodies are held at once, and how many of them are one sender's? Many senders of large bodies
 * must not fill the memory together, and one who never ends his must not fill it alone.
 */
import { Problem } from '../../problems.ts'

export interface BodyRoom {
  /** For one request of whoever `sender` names. */
  readonly open: (sender: string) => BodyShare
}

export interface BodyShare {
  /** Throws Problem('overloaded') where the sender's bodies together would be too large. */
  readonly take: (bytes: number) => void
  /** Gives back whatever was taken. */
  readonly close: () => void
}

const RETRY_AFTER_SECONDS = 1

/**
 * A sender has at most a sixteenth of what the others leave, so that shares shrink as the room fills: sixteen senders together
 * hold about half of it, and it is never full. Several callers may be one attacker.
 */
const SENDERS = 16

/** Only what has arrived counts: who announces much and sends little takes little. */
export function bodyRoom(mostBytes: number): BodyRoom {
  let held = 0
  /** No longer than its bodies are unanswered is anybody remembered. */
  const heldBy = new Map<string, number>()
  return {
    open(sender) {
      let own = 0
      return {
        take(bytes) {
          const his = heldBy.get(sender) ?? 0
          if (his + bytes > (mostBytes - (held - his)) / SENDERS)
            throw new Problem('overloaded', 'too many bytes of other requests are held', {
              retryAfterSeconds: RETRY_AFTER_SECONDS,
            })
          held += bytes
          own += bytes
          heldBy.set(sender, his + bytes)
        },
        close() {
          const left = (heldBy.get(sender) ?? 0) - own
          if (left > 0) heldBy.set(sender, left)
          else heldBy.delete(sender)
          held -= own
          own = 0
        },
      }
    },
  }
}
