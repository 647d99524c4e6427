/** What the use cases need from the world outside. Adapters fulfil it; tests use the memory store and fixed clocks. */

import type { AcceptedState, PolicyHistory, Provenance } from '../policy/acceptance/acceptance.ts'
import type { Policy } from '../policy/policy.ts'
import type { BrokerBinding } from '../rats/broker-binding.ts'
import type { Datum, Outcome } from '../rats/check.ts'
import type { EndorsementParts } from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { Layer } from '../rats/release.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { Status, TrustVector } from '../rats/trust-vector.ts'
import type { LogStore, PendingLeaf } from './log-ports.ts'
import type { ReleaseStore } from './release-ports.ts'
import type { SessionStore } from './session-ports.ts'
import type { EventStore, KeyStore, TokenRecord, TokenStore } from './token-ports.ts'

export interface Clock {
  readonly now: () => Date
}

export interface Random {
  readonly bytes: (size: number) => Uint8Array
}

/** Where a tenant's approved releases come from. What makes a commit acceptable is the source's business. */
export interface PolicySource {
  /** The policy in force. Undefined means that none was ever accepted, and that nothing may be released. */
  readonly accepted: () => Policy | undefined
  /** What holds at `at`, the gravest first; never empty. `Synced` stands alone. */
  readonly conditions: (at: Date) => readonly PolicyCondition[]
  /** Looks again. Never rejects: what went wrong is a condition, and the policy in force stays. */
  readonly refresh: () => Promise<void>
}

export type PolicyConditionName =
  | 'Synced'
  | 'Fetching'
  | 'RollbackOrRewrite'
  | 'UnknownSigner'
  | 'SchemaInvalid'
  | 'RuleCaseFailed'
  | 'ApprovalMissing'
  | 'Stale'
  | 'FetchFailed'

export interface PolicyCondition {
  readonly name: PolicyConditionName
  /** For operators: names files and lines of the policy repository. */
  readonly message: string
  readonly since: Date
  /** The commit that the condition is about, where there is one. */
  readonly commit: string | undefined
}

/** One clone of a tenant's policy repository, and the way to renew it. */
export interface PolicyMirror extends PolicyHistory {
  /** Asks the remote for its branch and resolves to that commit. Throws HistoryFault: unreachable, too large, malformed. */
  readonly fetch: () => Promise<string>
  readonly holds: (commit: string) => Promise<boolean>
  /** Keeps this commit, and what it descends from, from being swept away. */
  readonly keepAccepted: (commit: string) => Promise<void>
  /** What was kept last, however old the database: a floor after a restore. */
  readonly lastKept: () => Promise<string | undefined>
}

/** The accepted policy of a tenant, as the database holds it. */
export interface PolicyRecord extends AcceptedState {
  readonly tenant: string
  /** Counts the acceptances of this tenant, from 1. */
  readonly sequence: number
  readonly acceptedAt: Date
}

export type PolicyHead = Pick<PolicyRecord, 'sequence' | 'commit'>

/** One acceptance in a tenant's history, which acceptance-chain.ts makes and checks. */
export interface AcceptanceLink {
  readonly tenant: string
  readonly sequence: number
  readonly commit: string
  readonly digest: string
  /** Hex SHA-256 over marks and provenance as they were accepted. */
  readonly stateDigest: string
  readonly acceptedAt: Date
  /** The hash of the link before; 64 zeros where there is none. */
  readonly previous: string
  /** Hex SHA-256 over everything above. */
  readonly hash: string
}

/** Stored evidence whose verdict a policy changed. */
export interface DriftEntry {
  readonly appraisal: string
  readonly environment: string
  readonly agent: string
  readonly before: Verdict
  readonly after: Verdict
  /** Ids of the checks that fail now and did not, and the other way round. */
  readonly nowFailing: readonly string[]
  readonly noLongerFailing: readonly string[]
}

export type Verdict = 'issued' | 'refused'

export interface PolicyName {
  readonly commit: string
  readonly digest: string
}

/** What came of appraising stored evidence again under another policy. */
export interface DriftReport {
  readonly tenant: string
  readonly from: PolicyName
  readonly to: PolicyName
  readonly at: Date
  readonly examined: number
  /** Evidence that could not be appraised again, because what its vendor said is no longer kept. */
  readonly unexaminable: number
  readonly changed: number
  /** At most 1,000 of them. */
  readonly entries: readonly DriftEntry[]
}

/** Whoever enforces a policy (a replica, later a sensor, a sandbox, a gateway) says which. */
export interface EnforcementPoint {
  readonly tenant: string
  /** Unique among those of its kind and tenant. */
  readonly name: string
  readonly kind: EnforcementKind
  readonly commit: string
  readonly digest: string
  readonly reportedAt: Date
}

export type EnforcementKind = 'verifier' | 'sensor' | 'sandbox' | 'gateway'

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
  readonly before?: { readonly at: Date; readonly id: string } | undefined
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
  readonly findEndorsements: (digest: string) => Promise<EndorsementParts | undefined>
  /** The newest first, at most `limit`, none older than `since`; `before` is the last of the page before. */
  readonly appraisalsOf: (
    tenant: string,
    page: AppraisalPage,
  ) => Promise<readonly AppraisalRecord[]>
  readonly policyOf: (tenant: string) => Promise<PolicyRecord | undefined>
  /** Which one it is, without the paths of the whole repository: what is asked at every look. */
  readonly policyHeadOf: (tenant: string) => Promise<PolicyHead | undefined>
  /**
   * Makes `next` the tenant's policy if `previous` (a commit; undefined: none) still is, adds it to the history of
   * acceptances, queues `leaf` and publishes the event `policy.accepted`, all or nothing. `superseded` means that another
   * replica was first.
   */
  readonly acceptPolicy: (
    previous: string | undefined,
    next: PolicyRecord,
    leaf: PendingLeaf,
  ) => Promise<'accepted' | 'superseded'>
  /** Every acceptance of this tenant, the oldest first, as it is stored: whoever reads it checks the chain. */
  readonly acceptancesOf: (tenant: string) => Promise<readonly AcceptanceLink[]>
  /** When each commit was first seen: `at`, unless an earlier sight is remembered. */
  readonly firstSeen: (
    tenant: string,
    commits: readonly string[],
    at: Date,
  ) => Promise<ReadonlyMap<string, Date>>
  readonly keepDrift: (report: DriftReport) => Promise<void>
  readonly latestDrift: (tenant: string) => Promise<DriftReport | undefined>
  readonly reportEnforcement: (point: EnforcementPoint) => Promise<void>
  readonly enforcementPoints: (tenant: string) => Promise<readonly EnforcementPoint[]>
  /** Forgets appraisals older than `before`, endorsements that none of the others rests on, and drift reports; resolves to how many appraisals. */
  readonly pruneEvidence: (before: Date) => Promise<number>
  /** Forgets commits first seen before `before`; resolves to how many. */
  readonly pruneSightings: (before: Date) => Promise<number>
  /** Forgets enforcement points of these kinds that were silent since `before`; resolves to how many. */
  readonly pruneEnforcementPoints: (
    before: Date,
    kinds: readonly EnforcementKind[],
  ) => Promise<number>
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
