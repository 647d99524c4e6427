/** What is kept of secrets and model keys, of who approved their release, and of every release. Part of the Store. */
import type { Agreement } from '../release/approval.ts'
import type { PendingLeaf } from './log-ports.ts'

/**
 * What may be done with a resource. `release`: its bytes leave, sealed to an attested key. `decrypt` and `sign`: it is a key
 * that never leaves, and the service does one thing with it for whoever may ask.
 */
export type ResourceUse = 'release' | 'decrypt' | 'sign'

/** How a resource may be had. Its name is a scope of the manifest's release rules: `secret:db-ro`, `model:llama-small`. */
export interface Resource {
  readonly tenant: string
  readonly name: string
  readonly use: ResourceUse
  /** How many operators must agree before an agent's key may have it, whoever put it there not counted; 0: none. */
  readonly approvals: number
  /** How long what was released may be used without renewal. */
  readonly leaseSeconds: number
  /** Releases and operations, by all agents together; undefined: as many as are asked for. */
  readonly releasesPerMinute: number | undefined
  /** `default/key/1`: where the Key Broker face serves it. Undefined: it does not. Unique in its tenant. */
  readonly brokerPath: string | undefined
  /** Only inside a session, which watches the agent while it runs; the Key Broker face has none. */
  readonly requiresSession: boolean
  /** Simulated evidence may have it, where the tenant takes any: whoever has the simulated vendor's keys has it then. */
  readonly acceptsSimulated: boolean
  /** Counts changes of the above, from 1: what was judged under another is judged again. */
  readonly revision: number
}

export interface ResourceVersion {
  /** Counts the versions of a resource, from 1. */
  readonly version: number
  readonly createdAt: Date
  /** Name of the operator who put the secret there; who only changed how it may be had is in the log. */
  readonly createdBy: string
  readonly revokedAt: Date | undefined
}

/** `sealed`: under a data key of its own, bound to tenant, name and version (sealed-resource.ts); of what is revoked, nothing. */
export interface SealedVersion extends ResourceVersion {
  readonly sealed: Uint8Array
}

export interface KnownResource extends Resource {
  /** The newest first; revoked ones too. Never empty. At most MOST_VERSIONS are kept. */
  readonly versions: readonly ResourceVersion[]
}

export const MOST_VERSIONS = 100

/** May one agent's key have one version? Its id says which, so that who asks twice has asked once. */
export interface ReleaseApproval {
  /** Hex SHA-256 over everything that is approved: tenant, resource, version, environment, agent and key. */
  readonly id: string
  readonly tenant: string
  readonly resource: string
  readonly version: number
  readonly environment: string
  readonly agent: string
  /** RFC 7638 thumbprint of the attested signing key. */
  readonly jkt: string
  readonly requestedAt: Date
  /** Until then operators may agree, and the key may be given what they agreed to. */
  readonly expiresAt: Date
  /** Distinct operators, in the order in which they agreed. */
  readonly approvedBy: readonly Agreement[]
}

/** One release, or one operation in place, as it is kept. */
export interface ReleaseRecord {
  /** UUID; also the lease's. */
  readonly id: string
  readonly at: Date
  readonly tenant: string
  readonly environment: string
  readonly agent: string
  readonly resource: string
  readonly version: number
  readonly use: ResourceUse
  /** jti of the token that was presented; for the Key Broker face that of its handshake's, by cookie too. */
  readonly jti: string
  readonly face: 'releases' | 'key-broker'
  readonly jkt: string
  readonly policyCommit: string
  readonly policyDigest: string
  /** After this it may not be used any more, unless it is renewed. Operations have none. */
  readonly leaseUntil: Date | undefined
  /** Hex: the leaf of the transparency log that answers for it. */
  readonly leafHash: string
}

export interface RecordedRelease {
  readonly release: ReleaseRecord
  /** Of the resource as it was judged. */
  readonly revision: number
  /** Undefined on the Key Broker face, which has no such proofs. */
  readonly proof: { readonly id: string; readonly expiresAt: Date } | undefined
  /** Undefined: none is needed. Otherwise it must still hold, with at least so many operators. */
  readonly approval: { readonly id: string; readonly atLeast: number } | undefined
  /** Undefined: no limit. */
  readonly releasesPerMinute: number | undefined
  /** Undefined: the token is of no session. What the token's row says must agree. */
  readonly session?: HeardSession | undefined
  readonly leaf: PendingLeaf
}

/** The session of the token: it must be open, the token's key its own, and its last message not before `heardSince`. */
export interface HeardSession {
  readonly id: string
  readonly heardSince: Date
}

/**
 * Why nothing was recorded. What a release rests on is looked at once more in its own transaction, which holds the rows: a
 * release that comes after a revocation fails, and the leaves of both stand in the order in which they happened.
 */
export type ReleaseRefusal =
  | 'token-revoked'
  | 'session-over'
  | 'proof-used'
  /** Another policy was accepted, here or by another replica, than the one that this was judged by. */
  | 'policy-behind'
  | 'resource-changed'
  | 'version-revoked'
  | 'approval-missing'
  | 'too-many-releases'

/** A handshake of the Key Broker protocol. */
export interface BrokerSession {
  /** 32 hex digits, random: who has it has the session. */
  readonly id: string
  readonly tenant: string
  /** As the protocol spells it: `snp`, `sample`. */
  readonly tee: string
  /** Of the protocol: `0.4.0`. */
  readonly version: string
  /** Standard base64 of 32 random bytes. */
  readonly nonce: string
  readonly createdAt: Date
  readonly expiresAt: Date
  /** Undefined until it was attested. */
  readonly attested: AttestedSession | undefined
}

export interface AttestedSession {
  readonly at: Date
  readonly environment: string
  readonly agent: string
  /** Of the appraisal that is kept. */
  readonly appraisal: string
  /** JSON of the agent's public key, as it was bound by the evidence. */
  readonly teePublicKey: string
  readonly policyCommit: string
  /** Until then resources may be had by the session's cookie or its token, unless that is revoked earlier. */
  readonly expiresAt: Date
}

export type AttestedBrokerSession = BrokerSession & { readonly attested: AttestedSession }

/** The parts of it that are kept apart. */
export type ResourceStore = Pick<
  ReleaseStore,
  | 'addResourceVersion'
  | 'findResource'
  | 'resourceAtBrokerPath'
  | 'resourcesOf'
  | 'sealedVersion'
  | 'revokeVersions'
  | 'resealVersions'
>

export type BrokerSessionStore = Pick<
  ReleaseStore,
  | 'openBrokerSession'
  | 'findBrokerSession'
  | 'spendBrokerNonce'
  | 'attestBrokerSession'
  | 'pruneBrokerSessions'
>

export interface ReleaseStore {
  /**
   * Adds a version and makes the settings those of `resource`, if the newest version is still `after` (0: there is none)
   * and the stored revision is one less than the resource's; queues `leaf`. All or nothing. `superseded` means that somebody
   * else was first, or revoked the version that is carried on; `path-taken` that another resource of the tenant has the broker path.
   */
  readonly addResourceVersion: (
    change: {
      readonly resource: Resource
      readonly version: SealedVersion
      readonly after: number
      /** The version whose secret it has, sealed anew. Undefined: another secret. */
      readonly carries?: number | undefined
    },
    leaf: PendingLeaf,
  ) => Promise<'added' | 'superseded' | 'path-taken'>
  readonly findResource: (tenant: string, name: string) => Promise<KnownResource | undefined>
  readonly resourceAtBrokerPath: (
    tenant: string,
    path: string,
  ) => Promise<KnownResource | undefined>
  /** By name, at most `limit`, after the name `after`. */
  readonly resourcesOf: (
    tenant: string,
    page: { readonly limit: number; readonly after?: string | undefined },
  ) => Promise<readonly KnownResource[]>
  readonly sealedVersion: (
    tenant: string,
    name: string,
    version: number,
  ) => Promise<SealedVersion | undefined>
  /** Revokes these versions (`all`: every one) and forgets what was sealed of them, queues `leaf`; resolves to those that it revoked. With none nothing is queued. */
  readonly revokeVersions: (
    tenant: string,
    name: string,
    revoked: { readonly versions: readonly number[] | 'all'; readonly at: Date },
    leaf: PendingLeaf,
  ) => Promise<readonly number[]>
  /** Puts every `to` in the place of its `from`, in one transaction, all or nothing: another key-encryption key. */
  readonly resealVersions: (
    changes: readonly {
      readonly tenant: string
      readonly name: string
      readonly version: number
      readonly from: Uint8Array
      readonly to: Uint8Array
    }[],
  ) => Promise<boolean>
  /** Keeps the question unless it is asked already and not over, and resolves to what is kept. */
  readonly askApproval: (approval: ReleaseApproval) => Promise<ReleaseApproval>
  /**
   * Adds an operator, who counts once (a sealed agreement takes the place of one that is not), to what is not over at `at`;
   * queues `leaf`. Undefined: there is no such question.
   */
  readonly approveRelease: (
    id: string,
    by: Agreement,
    leaf: PendingLeaf,
  ) => Promise<ReleaseApproval | undefined>
  readonly findApproval: (id: string) => Promise<ReleaseApproval | undefined>
  /** Those of a tenant that are not over at `at`, the newest first, at most `limit`. */
  readonly approvalsOf: (
    tenant: string,
    page: { readonly at: Date; readonly limit: number },
  ) => Promise<readonly ReleaseApproval[]>
  /**
   * Keeps the release, uses up the proof, counts it against the limit and queues the leaf, all or nothing. The row of the
   * token is held meanwhile, so that its revocation comes before or after, and never between.
   */
  readonly recordRelease: (release: RecordedRelease) => Promise<'recorded' | ReleaseRefusal>
  readonly findRelease: (id: string) => Promise<ReleaseRecord | undefined>
  /**
   * Moves the end of the lease to `until`, with the token, the proof, the policy and the version looked at as `recordRelease`
   * does; `lease-over`: it ended before `at`, or there is none.
   */
  readonly renewLease: (
    id: string,
    renewal: {
      readonly at: Date
      readonly until: Date
      readonly jti: string
      readonly proof: { readonly id: string; readonly expiresAt: Date }
      /** Of the policy by which it is judged now. */
      readonly policyCommit: string
      readonly session?: HeardSession | undefined
    },
  ) => Promise<'renewed' | 'lease-over' | Exclude<ReleaseRefusal, 'approval-missing'>>
  readonly openBrokerSession: (session: BrokerSession) => Promise<void>
  readonly findBrokerSession: (id: string) => Promise<BrokerSession | undefined>
  /** The nonce is good once: true for the first who spends it, on whichever replica, before the session's end. */
  readonly spendBrokerNonce: (id: string, at: Date) => Promise<boolean>
  readonly attestBrokerSession: (id: string, attested: AttestedSession) => Promise<void>
  /** Forgets sessions that were over before `before`; resolves to how many. */
  readonly pruneBrokerSessions: (before: Date) => Promise<number>
  /** Forgets releases, approvals and counts that were over before `before`; resolves to how many releases. */
  readonly pruneReleases: (before: Date) => Promise<number>
}
