/** What the use cases need from the world outside. Adapters fulfil it; tests use the memory store and fixed clocks. */

import type { Provenance } from '../policy/acceptance/acceptance.ts'
import type { BrokerBinding } from '../rats/broker-binding.ts'
import type { Datum, Outcome } from '../rats/check.ts'
import type { EndorsementParts, Endorsements } from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { Layer } from '../rats/release.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { Status, TrustVector } from '../rats/trust-vector.ts'
import type { LogStore, PendingLeaf } from './log-ports.ts'
import type { PolicyStore } from './policy-ports.ts'
import type { ReleaseStore } from './release-ports.ts'
import type { SessionStore } from './session-ports.ts'
import type { EventStore, KeyStore, TokenRecord, TokenStore } from './token-ports.ts'

export interface Clock {
  readonly now: () => Date
}

export interface Random {
  readonly bytes: (size: number) => Uint8Array
}

export type Verdict = 'issued' | 'refused'

/** What is kept of one attestation, so that it can be explained and appraised again. */
export interface AppraisalRecord {
  readonly id: string
  readonly requestId: string
  readonly at: Date
  readonly tenant: string
  readonly environment: string
  readonly agent: string
  /** Of the rules that were asked for, the release's only one included; as the request named them where it asked for none that exists. */
  readonly audiences: readonly string[]
  readonly tee: string
  readonly verdict: Verdict
  readonly status: Status
  readonly trustVector: TrustVector
  readonly findings: readonly RecordedFinding[]
  readonly policyCommit: string
  readonly policyDigest: string
  /** File of the policy repository. */
  readonly manifest: string
  /** The accepted change that last touched the manifest. */
  readonly manifestProvenance: Provenance | undefined
  /** Matched or the nearest of this TEE; undefined where the release has none for it. */
  readonly referenceValue: RecordedReference | undefined
  /** Of what was matched: none where nothing was. */
  readonly layers: readonly Layer[]
  readonly runtimeClaims: RuntimeClaims
  /**
   * Where the evidence came by the Key Broker protocol, which binds it in a way of its own: of the claims above only nonce,
   * key and the release that matched are then said, and nothing is bound to them.
   */
  readonly binding?: BrokerBinding | undefined
  /**
   * Undefined where it proved nothing about its sender (proven.ts): anybody may send half a megabyte of noise. Its digests are
   * in the private record of the leaf.
   */
  readonly evidence: Evidence | undefined
  readonly endorsementsDigest: string
  /** 64 hex digits: the leaf of the transparency log that answers for this decision. */
  readonly leafHash: string
}

export interface RecordedReference {
  readonly id: string
  /** Of the manifest, from 1. */
  readonly line: number
  readonly isMatched: boolean
}

/** A finding without what its check's id already says. */
export interface RecordedFinding {
  readonly id: string
  readonly outcome: Outcome
  readonly detail?: string
  readonly observed?: Datum
  readonly expected?: Datum
}

export interface KeptEndorsements {
  readonly digest: string
  readonly parts: EndorsementParts
}

export interface AppraisalPage {
  readonly since: Date
  readonly limit: number
  readonly before?: AppraisalPlace | undefined
}

export interface AppraisalPlace {
  readonly at: Date
  readonly id: string
}

export interface AppraisalsFound {
  readonly records: readonly AppraisalRecord[]
  /** Of those that somebody altered, or what they rest on: they must neither be told as something else nor hide the others. */
  readonly unreadable: readonly AppraisalPlace[]
  /** For the page after this one; undefined: there is none. */
  readonly next: AppraisalPlace | undefined
}

export interface UsedChallenge {
  /** Hex of the challenge's random part. */
  readonly id: string
  /** After this it would be refused anyway, and its row may go. */
  readonly expiresAt: Date
}

/** One attestation with everything that must be kept together, or not at all. */
export interface RecordedAttestation {
  readonly challenge: UsedChallenge
  readonly appraisal: AppraisalRecord
  /** Kept once per digest: with them the evidence can be appraised again. Undefined where they are too many to keep, or without evidence. */
  readonly endorsements: KeptEndorsements | undefined
  /** None where it was refused. */
  readonly tokens: readonly TokenRecord[]
  readonly leaf: PendingLeaf
}

export interface Store
  extends KeyStore,
    TokenStore,
    EventStore,
    LogStore,
    PolicyStore,
    ReleaseStore,
    SessionStore {
  /**
   * Marks the challenge as used and keeps the rest, all or nothing. `challenge-used` means that another request, on this
   * replica or another, was first; then nothing was written. Durable when it resolves.
   */
  readonly recordAttestation: (
    attestation: RecordedAttestation,
  ) => Promise<'recorded' | 'challenge-used'>
  /** Ids are UUIDs in lower case; whatever else is asked for, by any function here, is not there. */
  readonly findAppraisal: (id: string) => Promise<AppraisalRecord | undefined>
  /** What is stored under that name, with the digest that it really has (kept-endorsements.ts). Nobody may change it: others have the same. */
  readonly findEndorsements: (digest: string) => Promise<Endorsements | undefined>
  /** The newest first, at most `limit` together, none older than `since`; `before` is the `next` of the page before. */
  readonly appraisalsOf: (tenant: string, page: AppraisalPage) => Promise<AppraisalsFound>
  /** Forgets appraisals older than `before`, endorsements that none of the others rests on, and drift reports; resolves to how many appraisals. */
  readonly pruneEvidence: (before: Date) => Promise<number>
  /** Forgets challenges that expired before `before`; resolves to how many. */
  readonly pruneChallenges: (before: Date) => Promise<number>
  /** Rejects when the database does not answer. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}

/** One line of the operator's log. Never evidence, keys, tokens or challenges. */
export interface JournalEntry {
  readonly event:
    | 'attestation.issued'
    | 'attestation.refused'
    | 'request.refused'
    | 'request.failed'
    | 'policy.accepted'
    | 'policy.condition'
    | 'policy.drift'
    | 'tokens.revoked'
    | 'keys.rotated'
    | 'keys.revoked'
    | 'resource.put'
    | 'resource.revoked'
    | 'release.approved'
    | 'release.granted'
    | 'release.renewed'
    | 'release.refused'
    | 'log.stopped'
    | 'log.resumed'
    | 'log.witnesses'
    | 'clock.stepped'
    | 'service.away'
    | 'session.opened'
    | 'session.tokens'
    | 'session.changed'
    | 'ban.changed'
    | 'webhook.failing'
    | 'webhook.delivers'
    | 'service.started'
    | 'service.stopped'
  readonly at: Date
  readonly requestId?: string
  readonly fields?: Readonly<Record<string, Datum>>
  /** Only for `request.failed`: our own fault, with its stack. */
  readonly cause?: unknown
}

export interface Journal {
  readonly record: (entry: JournalEntry) => void
}
