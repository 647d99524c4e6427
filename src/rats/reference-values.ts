/**
 * What a relying party expects of evidence, as plain types: one reference value is one tuple, and a report matches it as a
 * whole or not at all. An absent field sets no expectation, and the check that would have judged it says so.
 * Byte fields have the length of the field that they are compared with; they are never padded or cut.
 */

/** Component-wise floor; an absent component sets none. Named, because products order the same bytes differently. */
export interface SnpTcb {
  readonly fmc?: number
  readonly bootloader?: number
  readonly tee?: number
  readonly snp?: number
  readonly microcode?: number
}

/** Bits of POLICY that an operator may want either way; DEBUG and MIGRATE_MA have core checks of their own. */
export type SnpPolicyBit =
  | 'smt'
  | 'singleSocket'
  | 'cxl'
  | 'aes256Xts'
  | 'raplDisabled'
  | 'ciphertextHiding'
  | 'pageSwapDisabled'

export type SnpPlatformBit =
  | 'smt'
  | 'tsme'
  | 'ecc'
  | 'raplDisabled'
  | 'ciphertextHiding'
  | 'aliasCheck'
  | 'tio'

export interface SnpReference {
  readonly reportData?: Uint8Array
  readonly measurement?: Uint8Array
  readonly hostData?: Uint8Array
  readonly familyId?: Uint8Array
  readonly imageId?: Uint8Array
  readonly minimumGuestSvn?: number
  readonly idKeyDigests?: readonly Uint8Array[]
  /** Listing any requires that an author key signed the ID key. */
  readonly authorKeyDigests?: readonly Uint8Array[]
  /** Default 0: the most privileged level. */
  readonly vmpl?: number
  /** Reported, committed and launch TCB must each reach it. */
  readonly minimumTcb?: SnpTcb
  readonly minimumFirmware?: {
    readonly major: number
    readonly minor: number
    readonly build: number
  }
  /** Least ABI version that the guest policy must demand of the firmware. */
  readonly minimumAbi?: { readonly major: number; readonly minor: number }
  /** Guest policy bits that must be set (true) or clear (false). */
  readonly guestPolicy?: Readonly<Partial<Record<SnpPolicyBit, boolean>>>
  /** PLATFORM_INFO bits that must be set (true) or clear (false). */
  readonly platformInfo?: Readonly<Partial<Record<SnpPlatformBit, boolean>>>
  /** Bits that LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR must both contain. */
  readonly mitigations?: bigint
  readonly chipIds?: readonly Uint8Array[]
  readonly deniedChipIds?: readonly Uint8Array[]
  readonly products?: readonly string[]
  readonly deniedProducts?: readonly string[]
}

/** `observed & mask` must equal `value`. */
export interface MaskedBytes {
  readonly mask: Uint8Array
  readonly value: Uint8Array
}

export interface DcapReference {
  readonly reportData?: Uint8Array
  /** Converged TCB statuses that are accepted; default only `UpToDate`. */
  readonly tcbStatuses?: readonly string[]
  readonly minimumTcbEvaluationDataNumber?: number
  /** Hex, lower case. */
  readonly deniedFmspcs?: readonly string[]
  /** Platform instance ids or PPIDs, 16 bytes each. */
  readonly platforms?: readonly Uint8Array[]
  readonly deniedPlatforms?: readonly Uint8Array[]
}

export interface TdxReference extends DcapReference {
  readonly mrTd?: Uint8Array
  readonly mrConfigId?: Uint8Array
  readonly mrOwner?: Uint8Array
  readonly mrOwnerConfig?: Uint8Array
  readonly rtmr0?: Uint8Array
  readonly rtmr1?: Uint8Array
  readonly rtmr2?: Uint8Array
  readonly rtmr3?: Uint8Array
  readonly mrSeam?: Uint8Array
  readonly tdAttributes?: MaskedBytes
  readonly xfam?: MaskedBytes
  /** Service TDs that may be bound (MRSERVICETD). */
  readonly serviceTds?: readonly Uint8Array[]
}

/** Evidence that nobody signs: naming it in a manifest says that anybody may pass for this agent. */
export interface SampleReference {
  readonly svn?: string
}

export interface SgxReference extends DcapReference {
  readonly mrEnclave?: Uint8Array
  readonly mrSigner?: Uint8Array
  readonly configId?: Uint8Array
  readonly isvProdId?: number
  readonly minimumIsvSvn?: number
  readonly attributes?: MaskedBytes
}
