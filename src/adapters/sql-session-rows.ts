/** A session as its row: columns for what is searched by and what a heartbeat writes, and the rest as documents. */
import type { SessionDelta, SessionRecord } from '../service/session-ports.ts'
import type {
  Because,
  ProgressDocument,
  SessionDocument,
  sessionDeltas,
  sessions,
} from './schema-sessions.ts'
import type { Column } from './sql-columns.ts'

export function sessionOf(row: typeof sessions.$inferSelect): SessionRecord {
  const { because, record, progress, lastDigest, lastAnswer, ...columns } = row
  return {
    ...columns,
    ...because,
    ...record,
    encryptionJwk: record.encryptionJwk ?? undefined,
    quotedAt: new Date(record.quotedAt),
    ...progress,
    demanded: progress.demanded ?? undefined,
    lastMessage:
      lastDigest !== null && lastAnswer !== null
        ? { digest: lastDigest, answer: lastAnswer }
        : undefined,
  }
}

export function deltaOf({ seq, measurement }: typeof sessionDeltas.$inferSelect): SessionDelta {
  return { seq, measurement }
}

/** What a heartbeat writes. `revision` is the one after. */
export const progressColumns: readonly Column<SessionRecord>[] = [
  { name: 'heard_at', type: 'timestamptz', of: ({ heardAt }) => heardAt },
  { name: 'progress', type: 'json', of: (session) => JSON.stringify(progressIn(session)) },
  { name: 'last_digest', type: 'text', of: ({ lastMessage }) => lastMessage?.digest ?? null },
  {
    name: 'last_answer',
    type: 'json',
    of: ({ lastMessage }) => (lastMessage ? JSON.stringify(lastMessage.answer) : null),
  },
]

/** What a quote, or an operator, may change besides. */
export const changedColumns: readonly Column<SessionRecord>[] = [
  { name: 'standing', type: 'text', of: ({ standing }) => standing },
  { name: 'changed_at', type: 'timestamptz', of: ({ changedAt }) => changedAt },
  { name: 'because', type: 'json', of: (session) => JSON.stringify(becauseIn(session)) },
  { name: 'record', type: 'json', of: (session) => JSON.stringify(documentIn(session)) },
  ...progressColumns,
]

/** What never changes. */
export const openedColumns: readonly Column<SessionRecord>[] = [
  { name: 'tenant', type: 'text', of: ({ tenant }) => tenant },
  { name: 'environment', type: 'text', of: ({ environment }) => environment },
  { name: 'agent', type: 'text', of: ({ agent }) => agent },
  { name: 'jkt', type: 'text', of: ({ jkt }) => jkt },
  { name: 'boot', type: 'text', of: ({ boot }) => boot },
  { name: 'opened_at', type: 'timestamptz', of: ({ openedAt }) => openedAt },
]

export const deltaColumns: readonly Column<SessionDelta | undefined>[] = [
  { name: 'delta_seq', type: 'bigint', of: (delta) => delta?.seq ?? null },
  {
    name: 'delta',
    type: 'json',
    of: (delta) => (delta ? JSON.stringify(delta.measurement) : null),
  },
]

/** `heard_at = given.heard_at, …` */
export function assigned(columns: readonly { readonly name: string }[], from: string): string {
  return columns.map(({ name }) => `${name} = ${from}.${name}`).join(', ')
}

function becauseIn({ reason, by }: SessionRecord): Because {
  return { reason, by }
}

function documentIn(session: SessionRecord): SessionDocument {
  const { subject, issuer, jwk, encryptionJwk, platforms, collector, modes } = session
  const { appraisal, quotedAt, heartbeatSeconds, attestEverySeconds, quotedMeasurements } = session
  return {
    ...{ subject, issuer, jwk, platforms, collector, modes, appraisal },
    ...{ heartbeatSeconds, attestEverySeconds, quotedMeasurements },
    encryptionJwk: encryptionJwk ?? null,
    quotedAt: quotedAt.toISOString(),
  }
}

function progressIn(session: SessionRecord): ProgressDocument {
  const { seq, dropped, uptimeMs, statement, checkpoint, usage, nonce, policyDigest } = session
  return {
    ...{ seq, dropped, uptimeMs, statement, checkpoint, usage, nonce, policyDigest },
    demanded: session.demanded ?? null,
  }
}
