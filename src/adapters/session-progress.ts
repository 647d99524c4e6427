/** Which part of a session does a message change that comes without a quote, and what must it leave as it is? */
import type { SessionRecord } from '../service/session-ports.ts'

export type SessionProgress = Pick<SessionRecord, (typeof progressNames)[number]>

/** What `advanceSession` keeps of a record. Nothing that is searched by: a heartbeat must not touch an index. */
const progressNames = [
  'heardAt',
  'demanded',
  'seq',
  'dropped',
  'uptimeMs',
  'statement',
  'checkpoint',
  'usage',
  'nonce',
  'lastMessage',
  'policyDigest',
] as const satisfies readonly (keyof SessionRecord)[]

export function progressOf(session: SessionRecord): SessionProgress {
  const { heardAt, demanded, seq, dropped, uptimeMs, statement, checkpoint } = session
  const { usage, nonce, lastMessage, policyDigest } = session
  return {
    ...{ heardAt, demanded, seq, dropped, uptimeMs, statement, checkpoint },
    ...{ usage, nonce, lastMessage, policyDigest },
  }
}
