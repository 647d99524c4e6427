/** The record of a session after each of its messages, and what the agent is answered. */
import type { RuntimeLimits } from '../rats/release.ts'
import type { RuntimeUsage } from '../rats/runtime-usage.ts'
import type { QuoteReason, SessionAnswer, TranscriptDelta } from '../rats/session-message.ts'
import type { EvidenceIdentity } from '../rats/tee.ts'
import type { Checkpoint } from '../rats/transcript.ts'
import type { PolicyName } from './policy-ports.ts'
import type { Random } from './ports.ts'
import type { SessionDelta, SessionRecord } from './session-ports.ts'
import { leaseUntil, type Moment, stateOf } from './session-state.ts'

/** Where the manifest says nothing. */
const ATTEST_EVERY_SECONDS = 300
const NONCE_SIZE = 16

/** A message that continues the session, judged. */
export interface Told {
  readonly transcript: TranscriptDelta
  readonly checkpoint: Checkpoint
  /** Of its statement. */
  readonly statement: string
  readonly usage: RuntimeUsage
  /** SHA-256 of the message, hex. */
  readonly digest: string
}

export interface Telling extends Moment {
  readonly random: Random
  readonly policy: PolicyName
}

/** What a message changes, whichever it is. `demanded`: from then on. */
export function toldRecord(
  session: SessionRecord,
  told: Told & { readonly demanded: QuoteReason | undefined },
  telling: Telling,
): SessionRecord {
  const { statement } = told.transcript
  const next: SessionRecord = {
    ...session,
    heardAt: telling.at,
    demanded: told.demanded,
    seq: Number(statement.seq),
    dropped: Number(statement.dropped),
    uptimeMs: Number(statement.uptime),
    statement: told.statement,
    checkpoint: told.checkpoint,
    usage: told.usage,
    nonce: Buffer.from(telling.random.bytes(NONCE_SIZE)).toString('base64url'),
    lastMessage: undefined,
  }
  return { ...next, lastMessage: { digest: told.digest, answer: answerOf(next, telling) } }
}

/** By which its machine can be banned, and no other with it. */
export function machineNames({
  platforms,
  shared = [],
}: Pick<EvidenceIdentity, 'platforms' | 'shared'>): readonly string[] {
  return platforms.filter((name) => !shared.includes(name))
}

/** Undefined where nothing new was measured. */
export function deltaOf({
  statement: { seq },
  measurement,
}: TranscriptDelta): SessionDelta | undefined {
  return measurement.length === 0 ? undefined : { seq: Number(seq), measurement }
}

export function cadenceOf({
  heartbeatSeconds,
  attestEverySeconds = ATTEST_EVERY_SECONDS,
}: RuntimeLimits): Pick<SessionRecord, 'heartbeatSeconds' | 'attestEverySeconds'> {
  return { heartbeatSeconds, attestEverySeconds }
}

/** To the last message that was accepted, as things are now: where nothing changed since, what it was answered then. */
export function answerOf(
  session: SessionRecord,
  { policy, ...moment }: Moment & { readonly policy: PolicyName },
): SessionAnswer {
  const { id, seq, nonce, heartbeatSeconds } = session
  const { commit, digest } = policy
  return {
    id,
    state: stateOf(session, moment),
    seq,
    nonce,
    leaseUntil: leaseUntil(session).toISOString(),
    heartbeatSeconds,
    quote: {
      dueAt: quoteDueAt(session).toISOString(),
      demanded: demandOn(session, { ...moment, policy }) ?? null,
    },
    policy: { commit, digest },
  }
}

/** Why a full quote is needed already; undefined while it is not. */
export function demandOn(
  session: SessionRecord,
  { policy, ...moment }: Moment & { readonly policy: Pick<PolicyName, 'digest'> },
): QuoteReason | undefined {
  if (session.demanded) return session.demanded
  if (stateOf(session, moment) === 'SUSPENDED') return 'suspended'
  if (session.policyDigest !== policy.digest) return 'policy'
  if (session.checkpoint.measurement.count > session.quotedMeasurements) return 'growth'
  return moment.at >= quoteDueAt(session) ? 'schedule' : undefined
}

/** Sessions that were opened at once are not all due at once: ten per cent earlier or later, as chance has named the appraisal. */
function quoteDueAt({
  quotedAt,
  attestEverySeconds,
  appraisal,
}: Pick<SessionRecord, 'quotedAt' | 'attestEverySeconds' | 'appraisal'>): Date {
  const chance = Number.parseInt(appraisal.slice(0, 4), 16) / 0xffff
  return new Date(quotedAt.getTime() + attestEverySeconds * 1000 * (0.9 + 0.2 * chance))
}
