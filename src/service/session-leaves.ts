/** What does the transparency log say of sessions and bans? As log-leaves.ts has it: keep the members below sorted. */
import { leaf } from './log-leaves.ts'
import type { PendingLeaf } from './log-ports.ts'
import type { Random } from './ports.ts'
import type { Ban, SessionRecord } from './session-ports.ts'

export interface SessionNews {
  /** As it is from then on. */
  readonly session: Pick<
    SessionRecord,
    'id' | 'tenant' | 'environment' | 'agent' | 'jkt' | 'standing' | 'seq' | 'statement'
  >
  /** `opened`, `quoted`, `tokens`, `quarantined`, ... */
  readonly change: string
  readonly at: Date
  /** Name of the operator, or of what decided. */
  readonly by: string
  readonly reason: string
}

/** What became of a session. `statement`: digest of the last accepted one, which vouches for everything that it measured. */
export function sessionLeaf(
  { session, change, at, by, reason }: SessionNews,
  random: Random,
): PendingLeaf {
  const { id, tenant } = session
  const text = JSON.stringify({
    agent: session.agent,
    at: at.toISOString(),
    by,
    change,
    environment: session.environment,
    jkt: session.jkt,
    kind: 'vouchsafe/session/v1',
    reason,
    seq: String(session.seq),
    session: id,
    standing: session.standing,
    statement: session.statement,
    tenant,
  })
  return leaf({ kind: 'session', at, text, tenant, subject: id }, random)
}

/** A machine was banned, or its ban lifted. */
export function banLeaf(
  { ban, change }: { readonly ban: Ban; readonly change: 'banned' | 'lifted' },
  random: Random,
): PendingLeaf {
  const { tenant, platform, at } = ban
  const text = JSON.stringify({
    agent: ban.agent,
    at: at.toISOString(),
    by: ban.by,
    change,
    environment: ban.environment,
    kind: 'vouchsafe/ban/v1',
    platform,
    reason: ban.reason,
    tenant,
  })
  return leaf({ kind: 'session', at, text, tenant, subject: platform }, random)
}
