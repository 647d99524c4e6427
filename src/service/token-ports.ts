/** What is kept about keys, tokens and their revocation, and how replicas hear of what changed. Part of the Store. */
import type { Datum } from '../rats/check.ts'
import type { TokenForm } from '../rats/release.ts'
import type { PendingLeaf } from './log-ports.ts'

/** A private key or secret, encrypted under the key-encryption key. */
export interface SealedKey {
  readonly kid: string
  readonly purpose: KeyPurpose
  readonly createdAt: Date
  /**
   * From then on it signs, and the key before it is retired. It is published before, so that relying parties have it by
   * then.
   */
  readonly activeFrom: Date
  /** From then on nothing that it signed is good any more, and it is published no more. */
  readonly revokedAt: Date | undefined
  readonly sealed: Uint8Array
}

/**
 * One for each issuer URL and form of token (ES256 for `possession` and `workload`, RS256 for `federation`), one for its
 * envelopes (`release`, ES256), one for challenges, one for the transparency log (Ed25519).
 */
export type KeyPurpose = `${TokenForm | 'release'}:${string}` | 'challenge' | 'log'

export interface KeyStore {
  /** Keeps `key` unless its purpose has one already, and resolves to the newest one that is kept. */
  readonly keepFirstKey: (key: SealedKey) => Promise<SealedKey>
  /**
   * Keeps `key` as the successor of the key `after`, if that is still the newest of its purpose, queues `leaf` and publishes
   * the event `keys.changed`, all or nothing. `superseded` means that another replica was first.
   */
  readonly addKey: (
    key: SealedKey,
    after: string,
    leaf: PendingLeaf,
  ) => Promise<'added' | 'superseded'>
  /** Resolves to false where there is no such key, or it was revoked before. Queues `leaf` and publishes `keys.changed`. */
  readonly revokeKey: (
    purpose: KeyPurpose,
    kid: string,
    revoked: { readonly at: Date; readonly leaf: PendingLeaf },
  ) => Promise<boolean>
  /** The newest (by `activeFrom`) first. */
  readonly keysFor: (purpose: KeyPurpose) => Promise<readonly SealedKey[]>
  /** Every key of every purpose, for operators: the newest first. */
  readonly allKeys: () => Promise<readonly SealedKey[]>
  /** Forgets keys of this purpose by their ids. */
  readonly forgetKeys: (purpose: KeyPurpose, kids: readonly string[]) => Promise<void>
  /**
   * Puts every `to` in the place of its `from` (what is sealed, under another key-encryption key), in one transaction, all or
   * nothing. Resolves to false, and changes nothing, where one of these keys is gone or is sealed in another way than `from`.
   */
  readonly resealKeys: (changes: readonly ResealedKey[]) => Promise<boolean>
}

export interface ResealedKey extends Pick<SealedKey, 'purpose' | 'kid'> {
  readonly from: Uint8Array
  readonly to: Uint8Array
}

/** Where a Token Status List says whether a token still holds. */
export interface StatusSlot {
  /** Number of the list. */
  readonly list: number
  /** In the list, from 0; never given twice. */
  readonly index: number
}

/** A run of slots that one replica may give out without asking again. */
export interface StatusBlock {
  readonly list: number
  readonly first: number
  readonly size: number
}

/** `broker`: what a handshake of the Key Broker and POST /attestation are answered with. No rule of a manifest asks for it, so it is no TokenForm. */
export type RecordedForm = TokenForm | 'broker'

export interface TokenRecord {
  readonly jti: string
  /** Id of the appraisal. */
  readonly appraisal: string
  readonly tenant: string
  readonly environment: string
  readonly agent: string
  readonly form: RecordedForm
  /** Issuer URL. */
  readonly issuer: string
  /** Empty where the token names none. */
  readonly audience: string
  readonly scopes: readonly string[]
  /** RFC 7638 thumbprint of the attested signing key; of the form `broker`, of the key that a secret is sealed to, or empty. */
  readonly jkt: string
  readonly subject: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly status: StatusSlot
  /** Id of the session that it was issued in. Undefined: of one attestation alone. */
  readonly session: string | undefined
}

/** Why a token holds no longer: somebody said so, or evidence that it rests on no longer passes. */
export interface Revocation {
  readonly at: Date
  readonly reason: 'operator' | 'policy' | 'collateral'
  /** One sentence for operators. */
  readonly detail: string
  /** Name of the operator, or of what decided. */
  readonly by: string
}

export interface KnownToken extends TokenRecord {
  readonly revocation: Revocation | undefined
}

/** Which tokens of a tenant: every member that is there must agree. */
export interface TokenSelection {
  readonly jti?: string
  readonly appraisal?: string
  readonly jkt?: string
  readonly environment?: string
  readonly agent?: string
  readonly session?: string
}

/** `dpop`: ids of proofs. `reappraisal`: work that one replica does for all. */
export type OnceKind = 'dpop'

export interface TokenStore {
  readonly findToken: (jti: string) => Promise<KnownToken | undefined>
  readonly tokensOf: (appraisal: string) => Promise<readonly KnownToken[]>
  /** Neither expired at `at` nor revoked; ordered by jti, at most `limit`, after the jti `after`. */
  readonly liveTokens: (
    tenant: string,
    page: {
      readonly at: Date
      readonly selection: TokenSelection
      readonly limit: number
      readonly after?: string | undefined
    },
  ) => Promise<readonly TokenRecord[]>
  /**
   * Revokes those of `jtis` (at most 1,000) that are live at `revocation.at`, queues the leaf of each and publishes the event
   * `token.revoked` for each, all or nothing. Resolves to the tokens that it revoked.
   */
  readonly revokeTokens: (
    jtis: readonly string[],
    revocation: Revocation,
    leafOf: (token: TokenRecord) => PendingLeaf,
  ) => Promise<readonly TokenRecord[]>
  /** Slots of this issuer that nobody else will give out; a list that has no room is followed by the next. */
  readonly takeStatusBlock: (
    issuer: string,
    request: { readonly size: number; readonly capacity: number; readonly at: Date },
  ) => Promise<StatusBlock>
  /** Undefined for a list that does not exist. `revoked`: indices of tokens that were revoked and have not expired at `at`. */
  readonly statusList: (
    list: number,
    at: Date,
  ) => Promise<{ readonly issuer: string; readonly revoked: readonly number[] } | undefined>
  /** True for the first who brings this id, on whichever replica; it is remembered until `expiresAt`. */
  readonly useOnce: (kind: OnceKind, id: string, expiresAt: Date) => Promise<boolean>
  /** Forgets tokens and proof ids that expired before `before`; resolves to how many tokens. */
  readonly pruneTokens: (before: Date) => Promise<number>
}

export type EventKind =
  | 'token.revoked'
  | 'keys.changed'
  | 'policy.accepted'
  | 'session.changed'
  | 'ban.changed'

/** What every replica, and whoever follows the stream of events, hears of. */
export interface ServiceEvent {
  /** Rises in the order of commits: whoever has seen one has seen every one before it. */
  readonly sequence: number
  readonly at: Date
  readonly kind: EventKind
  /** Undefined: the service as a whole. */
  readonly tenant: string | undefined
  readonly fields: Readonly<Record<string, Datum>>
}

export interface EventStore {
  readonly eventsAfter: (sequence: number, limit: number) => Promise<readonly ServiceEvent[]>
  /** Sequence of the newest; 0 where there was none. */
  readonly lastEvent: () => Promise<number>
  readonly pruneEvents: (before: Date) => Promise<number>
}
