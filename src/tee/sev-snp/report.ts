/**
 * ATTESTATION_REPORT: AMD 56860 "SEV Secure Nested Paging Firmware ABI Specification" rev. 1.58, table 23.
 * One offset table per report version. Versions 3 and 4 are alike; 5 adds the mitigation vectors; 2 lacks the CPUID bytes.
 */
import { bytes, type Decoded, type Layout, layout, u8, u32, u64, zero } from '../../bytes/layout.ts'

export const REPORT_SIZE = 0x4a0
/** The signature covers the bytes before it. */
export const SIGNED_SIZE = 0x2a0

const head = {
  version: u32(0x000),
  guestSvn: u32(0x004),
  policy: u64(0x008),
  familyId: bytes(0x010, 16),
  imageId: bytes(0x020, 16),
  vmpl: u32(0x030),
  signatureAlgo: u32(0x034),
  currentTcb: bytes(0x038, 8),
  platformInfo: u64(0x040),
  /** Bit 0 AUTHOR_KEY_EN, bit 1 MASK_CHIP_KEY, bits 4:2 SIGNING_KEY. */
  signerInfo: u32(0x048),
  reserved04c: zero(0x04c, 4),
  reportData: bytes(0x050, 64),
  measurement: bytes(0x090, 48),
  hostData: bytes(0x0c0, 32),
  idKeyDigest: bytes(0x0e0, 48),
  authorKeyDigest: bytes(0x110, 48),
  reportId: bytes(0x140, 32),
  reportIdMa: bytes(0x160, 32),
  reportedTcb: bytes(0x180, 8),
} as const

const middle = {
  chipId: bytes(0x1a0, 64),
  committedTcb: bytes(0x1e0, 8),
  currentBuild: u8(0x1e8),
  currentMinor: u8(0x1e9),
  currentMajor: u8(0x1ea),
  reserved1eb: zero(0x1eb, 1),
  committedBuild: u8(0x1ec),
  committedMinor: u8(0x1ed),
  committedMajor: u8(0x1ee),
  reserved1ef: zero(0x1ef, 1),
  launchTcb: bytes(0x1f0, 8),
} as const

/** R and S are 72-byte little-endian fields of which P-384 fills 48: the rest must be zero, or two signatures would read alike. */
const signature = {
  signatureR: bytes(0x2a0, 48),
  reserved2d0: zero(0x2d0, 24),
  signatureS: bytes(0x2e8, 48),
  reserved318: zero(0x318, 24),
  reserved330: zero(0x330, 368),
} as const

const cpuid = {
  cpuidFamily: u8(0x188),
  cpuidModel: u8(0x189),
  cpuidStepping: u8(0x18a),
  reserved18b: zero(0x18b, 21),
} as const

const reportV2 = layout('ATTESTATION_REPORT v2', REPORT_SIZE, {
  ...head,
  reserved188: zero(0x188, 24),
  ...middle,
  reserved1f8: zero(0x1f8, 168),
  ...signature,
})

const reportV3 = layout('ATTESTATION_REPORT v3', REPORT_SIZE, {
  ...head,
  ...cpuid,
  ...middle,
  reserved1f8: zero(0x1f8, 168),
  ...signature,
})

const reportV5 = layout('ATTESTATION_REPORT v5', REPORT_SIZE, {
  ...head,
  ...cpuid,
  ...middle,
  launchMitVector: u64(0x1f8),
  currentMitVector: u64(0x200),
  reserved208: zero(0x208, 152),
  ...signature,
})

export type ReportV2 = Decoded<typeof reportV2>
export type ReportV5 = Decoded<typeof reportV5>
/** What every version has, and what later ones add. */
export type Report = ReportV2 & Partial<Omit<ReportV5, keyof ReportV2>>

/** The table for a version, by which it is decoded, encoded by the simulator, and mutated by the tests. Undefined: not supported. */
export function reportLayout(version: number): Layout<Report> | undefined {
  // Each table's type is Report with the fields that its version has; decoding yields exactly those.
  return { 2: reportV2, 3: reportV3, 4: reportV3, 5: reportV5 }[version] as
    | Layout<Report>
    | undefined
}

export const supportedVersions: readonly number[] = [2, 3, 4, 5]
