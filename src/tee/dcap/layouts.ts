/**
 * The fixed structures of a DCAP quote, as offset tables. All integers little-endian; P-256 values big-endian.
 * Header and v3: Intel SGX ECDSA QuoteGenReference API, appendix A. v4 and v5: Intel TDX DCAP Quoting Library API rev. 0.9,
 * appendix A.3 and A.4. Bodies: Intel SDM volume 3D (REPORT), Intel TDX Module 1.5 ABI (348551), TDREPORT_STRUCT.
 *
 * A quote is
 *   header 48 || [v5: body descriptor 6] || body || u32 signature data size || signature data
 * where everything before the size is signed, and signature data is
 *   v3:     quote signature 128 || QE report certification data
 *   v4, v5: quote signature 128 || certification head {6, size} || QE report certification data
 * with QE report certification data being
 *   QE report 384 || QE report signature 64 || u16 size || auth data || certification head {5, size} || PCK chain in PEM
 */
import { bytes, type Decoded, type Layout, layout, u8, u16, u32, zero } from '../../bytes/layout.ts'

export const HEADER_SIZE = 48
export const SGX_BODY_SIZE = 384
const TD10_BODY_SIZE = 584
const TD15_BODY_SIZE = 648

/** TEE types of the header. */
export const TEE_SGX = 0x00
export const TEE_TDX = 0x81

/** Attestation key type of the header: ECDSA-256-with-P-256, the only one that Intel's quoting enclaves of today use. */
export const ATTESTATION_KEY_P256 = 2

/** Intel's QE vendor, 939A7233-F79C-4CA9-940A-0DB3957F0607. */
export const INTEL_QE_VENDOR = Uint8Array.from(
  Buffer.from('939a7233f79c4ca9940a0db3957f0607', 'hex'),
)

/** Certification data types that quotes of today carry. */
export const PCK_CHAIN = 5
export const QE_REPORT_CERTIFICATION = 6

/** Body types of the v5 descriptor. */
export const BODY_SGX = 1
export const BODY_TD10 = 2
export const BODY_TD15 = 3

/** Version 3 has no TEE type: its four bytes are reserved, which reads the same as SGX. */
const headerV3 = layout('QUOTE header v3', HEADER_SIZE, {
  version: u16(0),
  attestationKeyType: u16(2),
  teeType: u32(4),
  qeSvn: u16(8),
  pceSvn: u16(10),
  qeVendorId: bytes(12, 16),
  /** First 16 bytes: the platform's QE identifier. */
  userData: bytes(28, 20),
})

const headerV4 = layout('QUOTE header v4/v5', HEADER_SIZE, {
  version: u16(0),
  attestationKeyType: u16(2),
  teeType: u32(4),
  reserved8: zero(8, 2),
  reserved10: zero(10, 2),
  qeVendorId: bytes(12, 16),
  userData: bytes(28, 20),
})

/** Between header and body, version 5 only. */
export const bodyDescriptor = layout('QUOTE body descriptor', 6, {
  bodyType: u16(0),
  bodySize: u32(2),
})

/** sgx_report_body_t: the body of an SGX quote, and the QE report of every quote. */
export const sgxBody = layout('SGX report body', SGX_BODY_SIZE, {
  cpuSvn: bytes(0, 16),
  miscSelect: bytes(16, 4),
  cetAttributes: u8(20),
  reserved21: zero(21, 11),
  isvExtProdId: bytes(32, 16),
  attributes: bytes(48, 16),
  mrEnclave: bytes(64, 32),
  reserved96: zero(96, 32),
  mrSigner: bytes(128, 32),
  reserved160: zero(160, 32),
  configId: bytes(192, 64),
  isvProdId: u16(256),
  isvSvn: u16(258),
  configSvn: u16(260),
  reserved262: zero(262, 42),
  isvFamilyId: bytes(304, 16),
  reportData: bytes(320, 64),
})

const td10 = {
  teeTcbSvn: bytes(0, 16),
  mrSeam: bytes(16, 48),
  mrSignerSeam: bytes(64, 48),
  seamAttributes: bytes(112, 8),
  tdAttributes: bytes(120, 8),
  xfam: bytes(128, 8),
  mrTd: bytes(136, 48),
  mrConfigId: bytes(184, 48),
  mrOwner: bytes(232, 48),
  mrOwnerConfig: bytes(280, 48),
  rtmr0: bytes(328, 48),
  rtmr1: bytes(376, 48),
  rtmr2: bytes(424, 48),
  rtmr3: bytes(472, 48),
  reportData: bytes(520, 64),
} as const

export const td10Body = layout('TD report body 1.0', TD10_BODY_SIZE, td10)

export const td15Body = layout('TD report body 1.5', TD15_BODY_SIZE, {
  ...td10,
  /** Of the TDX module as it is now; `teeTcbSvn` is that of the module under which the TD was launched. */
  teeTcbSvn2: bytes(584, 16),
  mrServiceTd: bytes(600, 48),
})

export const certificationHead = layout('QUOTE certification data', 6, {
  certificationType: u16(0),
  certificationSize: u32(2),
})

export type QuoteHeader = Omit<Decoded<typeof headerV3>, 'qeSvn' | 'pceSvn'> &
  Partial<Pick<Decoded<typeof headerV3>, 'qeSvn' | 'pceSvn'>>
export type SgxBody = Decoded<typeof sgxBody>
/** What every TD report has, and what TDX 1.5 adds. */
export type TdBody = Decoded<typeof td10Body> &
  Partial<Omit<Decoded<typeof td15Body>, keyof Decoded<typeof td10Body>>>

/** The table for a quote version. Undefined: not supported. */
export function headerLayout(version: number): Layout<QuoteHeader> | undefined {
  // Decoding by either table yields QuoteHeader with exactly the fields that its version has.
  return { 3: headerV3, 4: headerV4, 5: headerV4 }[version] as Layout<QuoteHeader> | undefined
}

export const supportedVersions: readonly number[] = [3, 4, 5]
