/** What is kept of the transparency log: leaves that wait, the tree, and the private bodies of leaves. Part of the Store. */

export type LeafKind =
  | 'policy'
  | 'issuance'
  | 'denial'
  | 'revocation'
  | 'keys'
  | 'release'
  | 'resource'
  | 'session'
  | 'denials'

/** Queued in the transaction of what it answers for, and numbered afterwards by whoever sequences. */
export interface PendingLeaf {
  /** `denial` gets no leaf of its own: the Merkle root of a batch of them is one (`denials`). */
  readonly kind: Exclude<LeafKind, 'denials'>
  /** What the log publishes: says when, of which kind, and the hash of the salted record. */
  readonly entry: Uint8Array
  /** SHA-256(0x00 || entry), 32 bytes. */
  readonly leafHash: Uint8Array
  /** Private: 16 bytes, and the record that the entry's hash covers. */
  readonly salt: Uint8Array
  readonly record: Uint8Array
  readonly tenant: string | undefined
  /** Id of the appraisal, jti of the token, commit of the policy. */
  readonly subject: string
}

export interface WaitingLeaf extends Pick<PendingLeaf, 'kind' | 'entry' | 'leafHash'> {
  /** Names the row among those that wait. */
  readonly id: number
}

export interface LogHead {
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** C2SP signed note. */
  readonly checkpoint: string
  readonly at: Date
}

/** A C2SP tile of hashes: at most 256 of 32 bytes, concatenated. */
export interface LogTile {
  readonly level: number
  readonly index: number
  readonly hashes: Uint8Array
}

export interface LogBatch {
  readonly head: LogHead
  /** In the order of their index, which continues the log. */
  readonly entries: readonly {
    readonly index: number
    readonly kind: LeafKind
    readonly entry: Uint8Array
    readonly leafHash: Uint8Array
  }[]
  /** Where each denial stands in the batch whose root is the leaf `index`. */
  readonly denials: readonly {
    readonly index: number
    readonly position: number
    readonly leafHash: Uint8Array
  }[]
  /** New, or grown. */
  readonly tiles: readonly LogTile[]
  /** Rows that wait no longer. */
  readonly taken: readonly number[]
}

/** Seen from inside the one transaction that may write the log. */
export interface LogTransaction {
  readonly head: LogHead | undefined
  /** The oldest first, at most as many as were asked for. */
  readonly waiting: readonly WaitingLeaf[]
  readonly tile: (level: number, index: number) => Promise<Uint8Array | undefined>
}

/** Where a leaf stands. `denials`: at `position` under the root that is the leaf `index`. */
export type LeafPlace =
  | { readonly in: 'waiting' }
  | { readonly in: 'log'; readonly index: number }
  | { readonly in: 'denials'; readonly index: number; readonly position: number }

export interface LogStore {
  /**
   * Runs `make` while nobody else, on any replica, writes the log, and keeps what it returns, all or nothing. `busy`:
   * somebody else does just that. `nothing`: nothing waits and a head exists, or `make` returned undefined.
   */
  readonly sequenceLog: (
    limit: number,
    make: (transaction: LogTransaction) => Promise<LogBatch | undefined>,
  ) => Promise<'sequenced' | 'nothing' | 'busy'>
  readonly logHead: () => Promise<LogHead | undefined>
  /** How many leaves are committed and wait to be numbered; at least 100,000 where there are more. */
  readonly countWaitingLeaves: () => Promise<number>
  readonly logTile: (level: number, index: number) => Promise<Uint8Array | undefined>
  /** Entries from `first` on, at most `count`, in order. */
  readonly logEntries: (first: number, count: number) => Promise<readonly Uint8Array[]>
  readonly leafPlace: (leafHash: Uint8Array) => Promise<LeafPlace | undefined>
  /** Leaf hashes of the batch of denials whose root is the leaf `index`, in order of position. */
  readonly denialBatch: (index: number) => Promise<readonly Uint8Array[]>
  /** Batches of denials of which anything is kept, the oldest first, at most `limit`. `entry`: of their root. */
  readonly oldestDenials: (
    limit: number,
  ) => Promise<readonly { readonly index: number; readonly entry: Uint8Array }[]>
  /**
   * Forgets where the denials under the leaf `index` stood, and their private bodies. The leaf stays. Resolves to how many
   * denials.
   */
  readonly forgetDenials: (index: number) => Promise<number>
  /** The private body. */
  readonly leafBody: (leafHash: Uint8Array) => Promise<Omit<PendingLeaf, 'leafHash'> | undefined>
}
