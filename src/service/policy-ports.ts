/** What the use cases need to know which policy is in force, who enforces it, and what it changed. */
import type { AcceptedState, PolicyHistory } from '../policy/acceptance/acceptance.ts'
import type { Policy } from '../policy/policy.ts'
import type { PendingLeaf } from './log-ports.ts'
import type { Verdict } from './ports.ts'

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

export interface PolicyStore {
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
  /** Forgets commits first seen before `before`; resolves to how many. */
  readonly pruneSightings: (before: Date) => Promise<number>
  /** Forgets enforcement points of these kinds that were silent since `before`; resolves to how many. */
  readonly pruneEnforcementPoints: (
    before: Date,
    kinds: readonly EnforcementKind[],
  ) => Promise<number>
}
