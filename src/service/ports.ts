/** What the use cases need from the world outside. Adapters fulfil it; tests use the memory store and fixed clocks. */
import type { Policy } from '../policy/policy.ts'
import type { Datum, Outcome } from '../rats/check.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { Status, TrustVector } from '../rats/trust-vector.ts'

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
  readonly condition: () => PolicyCondition
  /** Looks again. Never rejects: what went wrong is the condition, and the policy in force stays. */
  readonly refresh: () => Promise<void>
}

export interface PolicyCondition {
  readonly name: 'Synced' | 'SchemaInvalid' | 'FetchFailed' | 'NotRead'
  /** For operators: names files and lines of the policy repository. */
  readonly message: string
  readonly since: Date
  /** The commit that the condition is about, where one could be read. */
  readonly commit: string | undefined
}

/** What is kept of one attestation, so that it can be explained and appraised again. */
export interface AppraisalRecord {
  readonly id: string
  readonly requestId: string
  readonly at: Date
  readonly tenant: string
  readonly environment: string
  readonly agent: string
  readonly tee: string
  readonly verdict: 'issued' | 'refused'
  readonly status: Status
  readonly trustVector: TrustVector
  readonly findings: readonly RecordedFinding[]
  readonly policyCommit: string
  readonly policyDigest: string
  readonly manifest: string
  readonly referenceValue: string | undefined
  readonly runtimeClaims: RuntimeClaims
  readonly evidence: Evidence
  readonly endorsementsDigest: string
  readonly token: { readonly jti: string; readonly expiresAt: Date } | undefined
}

/** A finding without what its check's id already says. */
export interface RecordedFinding {
  readonly id: string
  readonly outcome: Outcome
  readonly detail?: string
  readonly observed?: Datum
  readonly expected?: Datum
}

export interface UsedChallenge {
  /** Hex of the challenge's random part. */
  readonly id: string
  /** After this it would be refused anyway, and its row may go. */
  readonly expiresAt: Date
}

/** A private key or secret, encrypted under the key-encryption key. */
export interface SealedKey {
  readonly kid: string
  readonly purpose: KeyPurpose
  readonly createdAt: Date
  readonly sealed: Uint8Array
}

/** `token:<issuer URL>` or `challenge`. */
export type KeyPurpose = `token:${string}` | 'challenge'

export interface Store {
  /**
   * Marks the challenge as used and keeps the appraisal, both or neither. `challenge-used` means that another request, on
   * this replica or another, was first; then nothing was written. Durable when it resolves.
   */
  readonly recordAttestation: (
    challenge: UsedChallenge,
    appraisal: AppraisalRecord,
  ) => Promise<'recorded' | 'challenge-used'>
  readonly findAppraisal: (id: string) => Promise<AppraisalRecord | undefined>
  /** Forgets challenges that expired before `before`; resolves to how many. */
  readonly pruneChallenges: (before: Date) => Promise<number>
  /** Keeps `key` unless its purpose has one already, and resolves to the one that is kept. */
  readonly keepFirstKey: (key: SealedKey) => Promise<SealedKey>
  readonly keysFor: (purpose: KeyPurpose) => Promise<readonly SealedKey[]>
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
