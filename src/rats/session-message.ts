/**
 * What agent and verifier say to each other in a session: the transcript that opens it or comes with a new quote, heartbeats
 * and requests for tokens (both compact JWS by the attested signing key), and what the verifier answers. One definition for
 * both sides; docs/sessions.md tells it in words.
 */
import { z } from 'zod'
import { LONGEST_EVENT } from './runtime-event.ts'
import type { statementNames } from './transcript.ts'

/** Header: exactly {alg: ES256, typ}. The key is the session's; none is named. */
export const HEARTBEAT_TYPE = 'vouchsafe-heartbeat+jwt'
export const RENEWAL_TYPE = 'vouchsafe-renewal+jwt'

/** In one message. What is more comes with the next ones, before a quote is taken over it. */
export const MOST_EVENTS = 2048
/** Characters of all events of one message together. */
export const LONGEST_DELTA = 256 * 1024

/**
 * Of one boot, and so of one session: all of them are read at once where another policy judges them. Whoever has more than
 * that loads something new every second for a day.
 */
export const MOST_MEASUREMENTS = 100_000

/** 16 bytes in base64url. */
export const sessionId = z.string().regex(/^[A-Za-z0-9_-]{22}$/, 'must be 16 bytes in base64url')
const decimal = z.string().regex(/^(0|[1-9]\d{0,15})$/, 'must be a decimal number as text')
const sha384 = z.string().regex(/^[0-9a-f]{96}$/, 'must be SHA-384 in hex')
const nonce = z.string().regex(/^[A-Za-z0-9_-]{22,86}$/)

const statementSchema = z.strictObject({
  session: sessionId,
  boot: z.string().regex(/^[0-9a-f-]{8,64}$/),
  seq: decimal,
  measurements: decimal.refine(
    (count) => Number(count) <= MOST_MEASUREMENTS,
    `must be at most ${MOST_MEASUREMENTS}`,
  ),
  measurement_head: sha384,
  behaviours: decimal,
  behaviour_head: sha384,
  dropped: decimal,
  previous: z.union([z.literal(''), sha384]),
  policy: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
  uptime: decimal,
  collector: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  modes: z.string().max(128),
} satisfies Record<(typeof statementNames)[number], z.ZodType>)

const events = z.array(z.string().min(2).max(LONGEST_EVENT)).max(MOST_EVENTS)

/** A statement with the events that lead from the checkpoint before to its heads. */
export const transcriptDelta = z
  .strictObject({ statement: statementSchema, measurement: events, behaviour: events })
  .refine(
    ({ measurement, behaviour }) =>
      [...measurement, ...behaviour].reduce((sum, { length }) => sum + length, 0) <= LONGEST_DELTA,
    `must hold at most ${LONGEST_DELTA} characters of events`,
  )
export type TranscriptDelta = z.output<typeof transcriptDelta>

/** Payload of a heartbeat. `htu`: address of the route, as in Attestation-Proof. `nonce`: of the last answer. */
export const heartbeatPayload = z.strictObject({
  htu: z.string().max(1024),
  nonce,
  transcript: transcriptDelta,
})
export type HeartbeatPayload = z.output<typeof heartbeatPayload>

/** Payload of a request for tokens. `audience`: as in an attestation; absent: the release's only rule. */
export const renewalPayload = z.strictObject({
  htu: z.string().max(1024),
  session: sessionId,
  nonce,
  audience: z.array(z.string().min(1).max(255)).min(1).max(4).exactOptional(),
})
export type RenewalPayload = z.output<typeof renewalPayload>

/**
 * `ACTIVE` may do everything. `LATE` (2 heartbeats missed): tokens it has still hold, but no secrets. `SUSPENDED` (4 missed, or told
 * so): needs a full quote. `QUARANTINED`: did what the policy does not allow; only an operator may let it go on. `REVOKED` and
 * `CLOSED` are final. `NEW` is before the first quote was accepted: such a session is nowhere kept.
 */
export const sessionStates = [
  'NEW',
  'ACTIVE',
  'LATE',
  'SUSPENDED',
  'QUARANTINED',
  'REVOKED',
  'CLOSED',
] as const
export type SessionState = (typeof sessionStates)[number]

export const quoteReasons = [
  'schedule',
  'growth',
  'policy',
  'operator',
  'suspended',
  'anomaly',
] as const
export type QuoteReason = (typeof quoteReasons)[number]

/** The member `session` of what opens or renews a session, and the whole answer to a heartbeat. */
export const sessionAnswer = z.object({
  id: sessionId,
  state: z.enum(sessionStates),
  /** Of the last message that was accepted. */
  seq: z.int(),
  /** For the next heartbeat, and for requests for tokens until then. */
  nonce,
  /** ISO 8601. After this the session is LATE. */
  leaseUntil: z.string(),
  heartbeatSeconds: z.int(),
  /** When the next full quote is due, and why already now where it is. */
  quote: z.object({ dueAt: z.string(), demanded: z.enum(quoteReasons).nullable() }),
  policy: z.object({ commit: z.string(), digest: z.string() }),
})
export type SessionAnswer = z.output<typeof sessionAnswer>
