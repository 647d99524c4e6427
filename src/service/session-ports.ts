/**
 * What is kept of sessions: where each stands, what it has loaded, who may have no session at all, and when the service itself
 * was away. Part of the Store.
 *
 * A lease is judged when it is read: what is stored says when a session was heard last, and session-state.ts what follows
 * from that now. No timer makes a session late, so none can be lost with a replica.
 */
import type { PublicKey } from '../rats/public-key.ts'
import type { RuntimeUsage } from '../rats/runtime-usage.ts'
import type { QuoteReason, SessionAnswer } from '../rats/session-message.ts'
import type { Checkpoint } from '../rats/transcript.ts'
import type { PendingLeaf } from './log-ports.ts'
import type { RecordedAttestation } from './ports.ts'
import type { Revocation, TokenRecord } from './token-ports.ts'

/** What was decided about a session; LATE, and SUSPENDED by silence, are read off the clock. */
export type Standing = 'open' | 'suspended' | 'quarantined' | 'revoked' | 'closed'

export interface SessionRecord {
  readonly id: string
  readonly tenant: string
  readonly environment: string
  readonly agent: string
  readonly subject: string
  /** Issuer URL. */
  readonly issuer: string
  readonly jwk: PublicKey
  readonly jkt: string
  /** Undefined: tokens go out in clear. */
  readonly encryptionJwk: PublicKey | undefined
  /** Names of the machine (EvidenceIdentity.platforms without those that are shared), of every one that it was quoted on: for bans. */
  readonly platforms: readonly string[]
  /** Of the kernel, from the opening statement: never changes. */
  readonly boot: string
  readonly collector: string
  readonly modes: string
  readonly openedAt: Date
  readonly standing: Standing
  /** One sentence for operators; empty while it is open and was never anything else. */
  readonly reason: string
  /** By whom or what the standing was last changed. */
  readonly by: string
  readonly changedAt: Date
  /** When the last message was accepted. */
  readonly heardAt: Date
  /** When the last quote was accepted, and the appraisal that tokens rest on. */
  readonly quotedAt: Date
  readonly appraisal: string
  /** In seconds, from the manifest when the quote was accepted. */
  readonly heartbeatSeconds: number
  readonly attestEverySeconds: number
  readonly demanded: QuoteReason | undefined
  /** Of the last accepted statement. */
  readonly seq: number
  readonly dropped: number
  readonly uptimeMs: number
  readonly statement: string
  readonly checkpoint: Checkpoint
  readonly usage: RuntimeUsage
  /** Measurements at the last accepted quote: what came since is vouched for by the key alone. */
  readonly quotedMeasurements: number
  /** What the next heartbeat must hold. */
  readonly nonce: string
  /** SHA-256 in hex of the last accepted message, and what it was answered: told again to whoever repeats it. */
  readonly lastMessage: { readonly digest: string; readonly answer: SessionAnswer } | undefined
  /** Digest of the policy by which everything was judged that it measured, or of a later one that says the same about its agent. */
  readonly policyDigest: string
  /** Rises with every change: who changes it names the one that he read. */
  readonly revision: number
}

/** Measurements of one message, verbatim, kept so that another policy can judge them. */
export interface SessionDelta {
  readonly seq: number
  readonly measurement: readonly string[]
}

export interface SessionStep {
  /** The whole record as it is from now on; its `revision` is that of the record that was read. */
  readonly session: SessionRecord
  /** Undefined where the message measured nothing new. */
  readonly delta: SessionDelta | undefined
}

/** A change of standing, with everything that must happen with it or not at all. */
export interface SessionChange {
  readonly session: SessionRecord
  readonly delta?: SessionDelta | undefined
  /** Queued with the change. */
  readonly leaf: PendingLeaf
  /** Undefined: its tokens hold on. Otherwise every live token of the session is revoked, each with its leaf and event. */
  readonly revocation: Revocation | undefined
  /** Of every token that is revoked, also of the others. */
  readonly leafOf: (token: TokenRecord) => PendingLeaf
  /** Of the event `session.changed`, published with it. */
  readonly by: string
  /** Absent: they stay as they are. */
  readonly others?: OthersChange | undefined
  /** Called when it is kept, with the session and then those that came along, by id, as they are from then on. */
  readonly changed?: ((sessions: readonly SessionRecord[]) => void) | undefined
}

/**
 * What becomes, with one session, of the others of its tenant, environment, agent and boot, whatever revision they are at: they
 * take its standing, `demanded`, `by` and `changedAt`, each with an event of its own, and lose their live tokens where it does. All
 * or nothing with the first, but for more of them than a transaction can hold: those follow it at once, and are told of by themselves.
 */
export interface OthersChange {
  /** Only who stands so. */
  readonly from: readonly Standing[]
  /** Of each of them, and why their tokens are revoked. */
  readonly reason: string
  /** Of each of them, as it is from then on. */
  readonly sessionLeafOf: (session: SessionRecord) => PendingLeaf
}

export interface SessionPage {
  readonly limit: number
  readonly environment?: string | undefined
  readonly agent?: string | undefined
  readonly standing?: Standing | undefined
  /** The id of the last of the page before; pages are ordered by id. */
  readonly after?: string | undefined
}

/** No session and no token, until somebody lifts it. */
export interface Ban {
  readonly tenant: string
  /** Hex: one of EvidenceIdentity.platforms. */
  readonly platform: string
  /** Undefined: every agent on that machine. */
  readonly environment: string | undefined
  readonly agent: string | undefined
  readonly reason: string
  readonly by: string
  readonly at: Date
}

/** While no replica answered. Silence in that time is nobody's fault but ours. */
export interface Outage {
  readonly from: Date
  readonly until: Date
}

export interface SessionStore {
  /** Neither: the session's id is taken, or the challenge was used. Then nothing was written. Otherwise as recordAttestation. */
  readonly openSession: (
    attestation: RecordedAttestation,
    session: SessionRecord,
    delta: SessionDelta | undefined,
  ) => Promise<'recorded' | 'challenge-used' | 'session-exists'>
  /** A new quote in a session; publishes `session.changed` where it changes the standing. `superseded`: the session is not at that revision any more; then nothing was written, the challenge unused. */
  readonly renewSession: (
    attestation: RecordedAttestation,
    step: SessionStep,
  ) => Promise<'recorded' | 'challenge-used' | 'superseded'>
  readonly findSession: (id: string) => Promise<SessionRecord | undefined>
  /** A quarantined session of this agent on this boot of a machine; undefined: there is none. */
  readonly quarantinedSession: (
    of: Pick<SessionRecord, 'tenant' | 'environment' | 'agent' | 'boot'>,
  ) => Promise<SessionRecord | undefined>
  /**
   * The hot path, gathered: keeps the step if the session is still at that revision. Durable when it resolves. Changes
   * neither standing nor tokens: of the record it keeps heardAt, demanded, seq, dropped, uptimeMs, statement, checkpoint,
   * usage, nonce, lastMessage and policyDigest, and the rest stays as it is.
   */
  readonly advanceSession: (step: SessionStep) => Promise<'advanced' | 'superseded'>
  /** Tokens of a session, with their leaf, if the session is still open at that revision's standing (its row is locked). */
  readonly recordSessionTokens: (issued: {
    readonly session: string
    readonly tokens: readonly TokenRecord[]
    readonly leaf: PendingLeaf
  }) => Promise<'recorded' | 'session-over'>
  readonly changeSession: (change: SessionChange) => Promise<'changed' | 'superseded'>
  readonly sessionsOf: (tenant: string, page: SessionPage) => Promise<readonly SessionRecord[]>
  /** Everything measured, in order. */
  readonly deltasOf: (session: string) => Promise<readonly SessionDelta[]>
  /** How many of this tenant are at each standing, and how many of the open ones were heard since `since`. */
  readonly countSessions: (
    tenant: string,
    since: Date,
  ) => Promise<{ readonly standings: Readonly<Record<Standing, number>>; readonly heard: number }>
  readonly ban: (ban: Ban, leaf: PendingLeaf) => Promise<void>
  /** False where there was none. */
  readonly liftBan: (
    ban: Pick<Ban, 'tenant' | 'platform' | 'environment' | 'agent' | 'at'>,
    leaf: PendingLeaf,
  ) => Promise<boolean>
  readonly bansOf: (tenant: string) => Promise<readonly Ban[]>
  /**
   * This replica answers. Where no replica had said so for longer than `gapMs`, the time between becomes an outage, once, whoever
   * notices first. Resolves to the outages that ended after `since`, oldest first.
   */
  readonly serviceAlive: (
    replica: string,
    at: Date,
    request: { readonly gapMs: number; readonly since: Date },
  ) => Promise<readonly Outage[]>
  /** Events up to which a webhook has been told; 0 at first. One replica at a time holds it: undefined while another does. */
  readonly claimWebhook: (
    name: string,
    request: { readonly holder: string; readonly at: Date; readonly until: Date },
  ) => Promise<number | undefined>
  /** False where another replica took it over. */
  readonly advanceWebhook: (
    name: string,
    request: { readonly holder: string; readonly sequence: number },
  ) => Promise<boolean>
  /** Forgets sessions that are revoked or closed, or were not heard, since `before`; resolves to how many. */
  readonly pruneSessions: (before: Date) => Promise<number>
}
