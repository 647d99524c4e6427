/**
 * DCAP quotes as a simulated quoting enclave writes them, versions 3 to 5, for SGX and TDX 1.0 and 1.5. A quote is assembled
 * from parts; change any part and everything that depends on it (sizes, binding, signatures) is made again, so that only the
 * change itself can be at fault. Encoding goes by the verifier's own layouts; the interop tests hold both against another verifier.
 */
import { createHash, type KeyObject } from 'node:crypto'
import { concat } from '../../src/bytes/encoding.ts'
import {
  ATTESTATION_KEY_P256,
  BODY_SGX,
  BODY_TD10,
  BODY_TD15,
  bodyDescriptor,
  certificationHead,
  headerLayout,
  INTEL_QE_VENDOR,
  PCK_CHAIN,
  QE_REPORT_CERTIFICATION,
  type QuoteHeader,
  type SgxBody,
  sgxBody,
  type TdBody,
  TEE_SGX,
  TEE_TDX,
  td10Body,
  td15Body,
} from '../../src/tee/dcap/layouts.ts'
import type { MintedCertificate } from './mint/certificate.ts'
import { rawSignature } from './mint/ecdsa.ts'
import { ecdsaSha256, type SigningKey, spkiOf } from './mint/signing.ts'
import { pemOf } from './pem.ts'

/** Everything on the platform that takes part in quoting. */
export interface QuotingPlatform {
  readonly pck: MintedCertificate
  /** PCK certificate first, root last. */
  readonly pckChain: readonly MintedCertificate[]
  readonly attestationKey: SigningKey
  /** The quoting enclave's own report, but for its report data. */
  readonly qe: Omit<SgxBody, 'reportData'>
}

export interface QuoteParts {
  readonly header: QuoteHeader
  /** Version 5 only. */
  readonly descriptor: { readonly bodyType: number; readonly bodySize: number } | undefined
  readonly body: Uint8Array
  readonly attestationKey: SigningKey
  readonly qe: Omit<SgxBody, 'reportData'>
  /** Undefined: SHA-256 over attestation key and auth data, then zeros, as a quoting enclave must. */
  readonly qeReportData: Uint8Array | undefined
  /** Changes to encoded bytes before they are signed, reserved ones included. */
  readonly patchQuote: (signed: Uint8Array) => Uint8Array
  readonly patchQeReport: (report: Uint8Array) => Uint8Array
  readonly qeReportSigner: SigningKey
  readonly qeAuthData: Uint8Array
  /** Around the QE report, versions 4 and 5 only. */
  readonly outerCertificationType: number
  readonly certificationType: number
  readonly certificationData: Uint8Array
  /** After the end of the quote. */
  readonly padding: Uint8Array
}

export type QuoteAlteration = (usual: QuoteParts) => Partial<QuoteParts>

export interface QuoteRequest<B> {
  readonly version: number
  readonly body: B
  readonly alter?: QuoteAlteration
}

/** Version 3, 4 or 5. */
export function sgxQuote(
  platform: QuotingPlatform,
  { version, body, alter }: QuoteRequest<SgxBody>,
): Uint8Array {
  const form = { version, teeType: TEE_SGX, bodyType: BODY_SGX, body: sgxBody.encode(body) }
  return alteredQuote(platform, form, alter)
}

/** Version 4, or 5 with a TDX 1.0 body; with a TDX 1.5 body when `body` has its fields. */
export function tdQuote(
  platform: QuotingPlatform,
  { version, body, alter }: QuoteRequest<TdBody>,
): Uint8Array {
  const { teeTcbSvn2, mrServiceTd } = body
  const form =
    teeTcbSvn2 && mrServiceTd
      ? { bodyType: BODY_TD15, body: td15Body.encode({ ...body, teeTcbSvn2, mrServiceTd }) }
      : { bodyType: BODY_TD10, body: td10Body.encode(body) }
  return alteredQuote(platform, { version, teeType: TEE_TDX, ...form }, alter)
}

interface QuoteForm {
  readonly version: number
  readonly teeType: number
  readonly bodyType: number
  readonly body: Uint8Array
}

function alteredQuote(
  { pck, pckChain, attestationKey, qe }: QuotingPlatform,
  { version, teeType, bodyType, body }: QuoteForm,
  alter: QuoteAlteration = () => ({}),
): Uint8Array {
  const usual: QuoteParts = {
    header: {
      version,
      attestationKeyType: ATTESTATION_KEY_P256,
      teeType,
      qeVendorId: INTEL_QE_VENDOR,
      userData: new Uint8Array(20),
      ...(version === 3 && { qeSvn: qe.isvSvn, pceSvn: 13 }),
    },
    descriptor: version < 5 ? undefined : { bodyType, bodySize: body.length },
    body,
    attestationKey,
    qe,
    qeReportData: undefined,
    patchQuote: (signed) => signed,
    patchQeReport: (report) => report,
    qeReportSigner: pck.key,
    qeAuthData: Uint8Array.from({ length: 32 }, (_, at) => at),
    outerCertificationType: QE_REPORT_CERTIFICATION,
    certificationType: PCK_CHAIN,
    // Intel's library counts the C string's terminator into the chain.
    certificationData: concat(
      new TextEncoder().encode(pemOf(pckChain.map(({ der }) => der))),
      new Uint8Array(1),
    ),
    padding: new Uint8Array(0),
  }
  return assembleQuote({ ...usual, ...alter(usual) })
}

export function assembleQuote(parts: QuoteParts): Uint8Array {
  const { header, descriptor, body, attestationKey, qeAuthData } = parts
  const layout = headerLayout(header.version) ?? headerLayout(5)
  const signed = parts.patchQuote(
    concat(
      layout?.encode(header) ?? new Uint8Array(),
      descriptor ? bodyDescriptor.encode(descriptor) : new Uint8Array(0),
      body,
    ),
  )
  const point = pointOf(attestationKey.publicKey)
  const binding = createHash('sha256').update(point).update(qeAuthData).digest()
  const reportData = parts.qeReportData ?? concat(binding, new Uint8Array(32))
  const qeReport = parts.patchQeReport(sgxBody.encode({ ...parts.qe, reportData }))
  const certification = concat(
    qeReport,
    rawP256(parts.qeReportSigner, qeReport),
    u16(qeAuthData.length),
    qeAuthData,
    certificationData(parts.certificationType, parts.certificationData),
  )
  const wrapped =
    header.version === 3
      ? certification
      : certificationData(parts.outerCertificationType, certification)
  const signatureData = concat(rawP256(attestationKey, signed), point, wrapped)
  return concat(signed, u32(signatureData.length), signatureData, parts.padding)
}

/** X || Y of a P-256 key. */
function pointOf(key: KeyObject): Uint8Array {
  return spkiOf(key).slice(-64)
}

function rawP256(key: SigningKey, message: Uint8Array): Uint8Array {
  const { r, s } = rawSignature(key.sign(message, ecdsaSha256), 32)
  return concat(r, s)
}

function certificationData(certificationType: number, data: Uint8Array): Uint8Array {
  const head = certificationHead.encode({ certificationType, certificationSize: data.length })
  return concat(head, data)
}

function u16(value: number): Uint8Array {
  return new Uint8Array([value & 0xff, value >> 8])
}

function u32(value: number): Uint8Array {
  return concat(u16(value & 0xffff), u16(value >>> 16))
}
