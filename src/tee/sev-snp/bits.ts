/** The single bits of a report, by name: AMD 56860 rev. 1.58, table 9 (POLICY) and table 23 (PLATFORM_INFO, SIGNER_INFO). */
import type { SnpPlatformBit, SnpPolicyBit } from '../../rats/reference-values.ts'

export const policyBits: Readonly<Record<SnpPolicyBit | 'migrateMa' | 'debug', bigint>> = {
  smt: 1n << 16n,
  migrateMa: 1n << 18n,
  debug: 1n << 19n,
  singleSocket: 1n << 20n,
  cxl: 1n << 21n,
  aes256Xts: 1n << 22n,
  raplDisabled: 1n << 23n,
  ciphertextHiding: 1n << 24n,
  pageSwapDisabled: 1n << 25n,
}

/** Bit 17 is "reserved, must be one"; bits 63:26 must be zero. */
export const POLICY_MUST_BE_ONE = 1n << 17n
export const POLICY_MUST_BE_ZERO = (~0n << 26n) & 0xffff_ffff_ffff_ffffn

export const platformBits: Readonly<Record<SnpPlatformBit, bigint>> = {
  smt: 1n << 0n,
  tsme: 1n << 1n,
  ecc: 1n << 2n,
  raplDisabled: 1n << 3n,
  ciphertextHiding: 1n << 4n,
  /** ALIAS_CHECK_COMPLETE: memory aliasing (BadRAM, CVE-2024-21944) was ruled out at boot. */
  aliasCheck: 1n << 5n,
  tio: 1n << 7n,
}

/** Bits that have no name here are surfaced in the claims and not refused: Turin sets bit 6. */
export function unnamedPlatformBits(platformInfo: bigint): bigint {
  return Object.values(platformBits).reduce((left, bit) => left & ~bit, platformInfo)
}

export const AUTHOR_KEY_EN = 1
export const MASK_CHIP_KEY = 2

export type SigningKey = 'VCEK' | 'VLEK' | 'none' | 'reserved'

/** SIGNING_KEY, bits 4:2 of the dword at 0x48. */
export function signingKeyOf(signerInfo: number): SigningKey {
  switch ((signerInfo >>> 2) & 7) {
    case 0:
      return 'VCEK'
    case 1:
      return 'VLEK'
    case 7:
      return 'none'
    default:
      return 'reserved'
  }
}

/** Bits of SIGNER_INFO above SIGNING_KEY are reserved. */
export const SIGNER_INFO_RESERVED = 0xffff_ffe0
