/**
 * From received bytes to a decoded quote: the structure rules, and which of them a fault breaks. Nothing is believed yet.
 * What differs between TDX and SGX (TEE type, possible bodies) is a property of the form that is passed in.
 */
import { sameBytes, toHex } from '../../bytes/encoding.ts'
import type { Layout } from '../../bytes/layout.ts'
import { Malformed } from '../../bytes/malformed.ts'
import { type Reader, reader } from '../../bytes/reader.ts'
import type { Datum } from '../../rats/check.ts'
import type { Evidence } from '../../rats/evidence.ts'
import type { Decoding, StructureFault, StructureRule } from '../../rats/tee.ts'
import {
  ATTESTATION_KEY_P256,
  HEADER_SIZE,
  headerLayout,
  INTEL_QE_VENDOR,
  PCK_CHAIN,
  QE_REPORT_CERTIFICATION,
  type QuoteHeader,
  SGX_BODY_SIZE,
  supportedVersions,
} from './layouts.ts'

/** As much of a layout as reading takes. */
export type BodyLayout<B> = Pick<Layout<B>, 'size' | 'rows' | 'decode'>

/** What makes a quote one of a TEE's. */
export interface QuoteForm<B> {
  /** Of the header. */
  readonly teeType: number
  /** The body that a quote of this version carries; `bodyType` is that of the v5 descriptor. Undefined: no such quote. */
  readonly body: (version: number, bodyType: number | undefined) => BodyLayout<B> | undefined
}

/** Byte fields are views into the received quote. */
export interface Quote<B> {
  readonly header: QuoteHeader
  /** Of the version 5 descriptor; undefined before. */
  readonly bodyType: number | undefined
  readonly body: B
  readonly bodyLayout: BodyLayout<B>
  /** The received bytes that the quote signature covers. */
  readonly signed: Uint8Array
  /** R || S, 32 bytes each, big-endian. */
  readonly signature: Uint8Array
  /** X || Y of the P-256 attestation key. */
  readonly attestationKey: Uint8Array
  /** An SGX report body, decoded only where its binding is not yet proven. */
  readonly qeReport: Uint8Array
  readonly qeReportSignature: Uint8Array
  readonly qeAuthData: Uint8Array
  /** PEM: PCK certificate, PCK CA, root. */
  readonly pckChain: Uint8Array
  /** From the attestation key to the end: everything that binds this key to a platform. */
  readonly certification: Uint8Array
  readonly eventLog: Uint8Array | undefined
}

/** Ours. Recorded quotes have 4,600 to 5,006 bytes, in buffers of up to 8,000. */
export const MAX_QUOTE_BYTES = 128 * 1024
const SIZE_FIELD = 4
const SIGNATURE_SIZE = 64
const KEY_SIZE = 64

const SIGNATURE_DATA = 'QUOTE.signature_data'
const CERTIFICATION_DATA = 'QUOTE.certification_data'

const QUOTE =
  'Intel SGX ECDSA QuoteGenReference API appendix A.4 (v3); Intel TDX DCAP Quoting Library API appendix A.3 (v4), A.4 (v5)'
const rule = (id: string, what: string): StructureRule => ({
  id,
  informs: 'hardware',
  cites: `${QUOTE}, ${what}`,
})

export const structure: readonly StructureRule[] = [
  rule('dcap.quote.length', 'header and body sizes'),
  rule('dcap.quote.version', 'Version'),
  rule('dcap.quote.attestation-key-type', 'Attestation Key Type'),
  rule('dcap.quote.tee-type', 'TEE Type'),
  rule('dcap.quote.vendor', 'QE Vendor ID'),
  rule('dcap.quote.reserved', 'reserved fields'),
  rule('dcap.quote.body', 'TD Quote Body Descriptor'),
  rule('dcap.quote.signature-data', 'Quote Signature Data'),
  rule('dcap.quote.certification-data', 'QE Certification Data, types 5 and 6'),
  rule('dcap.quote.trailing', 'Quote Signature Data Length: nothing but zero padding may follow'),
]

/** Bytes that were meant as a quote of this vendor, however broken. An SNP report has zero where the key type stands. */
export function resemblesQuote(quote: Uint8Array): boolean {
  if (quote.length < 8) return false
  const keyType = viewOf(quote).getUint16(2, true)
  return (keyType >= 1 && keyType <= 3) || sameBytes(quote.subarray(12, 28), INTEL_QE_VENDOR)
}

/** TEE type as the header has it, whatever the version. */
export function teeTypeOf(quote: Uint8Array): number {
  return viewOf(quote).getUint32(4, true)
}

/** Never throws for received bytes. */
export function decodeQuote<B>(evidence: Evidence, form: QuoteForm<B>): Decoding<Quote<B>> {
  try {
    return decode(evidence, form)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return fault(ruleOf(cause), cause.message, cause.observed, cause.expected)
  }
}

function decode<B>({ quote, eventLog }: Evidence, form: QuoteForm<B>): Decoding<Quote<B>> {
  if (quote.length < HEADER_SIZE || quote.length > MAX_QUOTE_BYTES)
    return fault(
      'dcap.quote.length',
      `a quote has at least ${HEADER_SIZE} and here at most ${MAX_QUOTE_BYTES} bytes; ${quote.length} were received`,
      quote.length,
      `${HEADER_SIZE} to ${MAX_QUOTE_BYTES}`,
    )
  const version = viewOf(quote).getUint16(0, true)
  const layout = headerLayout(version)
  if (!layout)
    return fault(
      'dcap.quote.version',
      `quote version ${version} is not supported; its layout is unknown, so nothing in it can be believed`,
      version,
      supportedVersions,
    )
  const source = reader(quote, 'QUOTE')
  const header = layout.decode(source.bytes('header', HEADER_SIZE))
  const foreign = judgeHeader(header, form)
  if (foreign) return { fault: foreign }

  const descriptor = version < 5 ? undefined : readDescriptor(source)
  const body = form.body(version, descriptor?.type)
  if (!body || (descriptor && descriptor.size !== body.size))
    return fault(
      'dcap.quote.body',
      `the descriptor names body type ${descriptor?.type} of ${descriptor?.size} bytes, which a version ${version} quote of TEE type 0x${form.teeType.toString(16)} does not carry`,
      descriptor ? [descriptor.type, descriptor.size] : null,
      body ? [descriptor?.type ?? null, body.size] : 'a body type of this TEE',
    )
  const fields = body.decode(source.bytes('body', body.size))
  const signed = quote.subarray(0, source.offset)
  const parts = readSignatureData(source, version)
  const certification = quote.subarray(signed.length + SIZE_FIELD + SIGNATURE_SIZE, source.offset)
  source.doneButZeros()
  return {
    evidence: {
      header,
      bodyType: descriptor?.type,
      body: fields,
      bodyLayout: body,
      signed,
      signature: parts.signature,
      attestationKey: parts.attestationKey,
      qeReport: parts.qeReport,
      qeReportSignature: parts.qeReportSignature,
      qeAuthData: parts.qeAuthData,
      pckChain: parts.pckChain,
      certification,
      eventLog,
    },
  }
}

function judgeHeader<B>(
  { version, attestationKeyType, teeType, qeVendorId }: QuoteHeader,
  form: QuoteForm<B>,
): StructureFault | undefined {
  if (attestationKeyType !== ATTESTATION_KEY_P256)
    return {
      id: 'dcap.quote.attestation-key-type',
      sentence: `attestation key type ${attestationKeyType} is not supported; only ${ATTESTATION_KEY_P256} (ECDSA P-256 with SHA-256) is`,
      observed: attestationKeyType,
      expected: ATTESTATION_KEY_P256,
    }
  if (teeType !== form.teeType || (version < 5 && !form.body(version, undefined)))
    return {
      id: 'dcap.quote.tee-type',
      sentence: `a version ${version} quote with TEE type 0x${teeType.toString(16)} was read as one of TEE type 0x${form.teeType.toString(16)}; version 3 knows SGX only`,
      observed: teeType,
      expected: form.teeType,
    }
  if (!sameBytes(qeVendorId, INTEL_QE_VENDOR))
    return {
      id: 'dcap.quote.vendor',
      sentence: `the quoting enclave's vendor ${toHex(qeVendorId)} is not Intel; collateral says nothing about it`,
      observed: toHex(qeVendorId),
      expected: toHex(INTEL_QE_VENDOR),
    }
  return undefined
}

function readDescriptor(source: Reader): { readonly type: number; readonly size: number } {
  return { type: source.u16('body_type'), size: source.u32('body_size') }
}

type SignatureData = Pick<
  Quote<unknown>,
  'signature' | 'attestationKey' | 'qeReport' | 'qeReportSignature' | 'qeAuthData' | 'pckChain'
>

/**
 * Version 3 has the QE report and its certification right after the key; later versions wrap them as certification data
 * of type 6. Every size is that of what lies within it, to the byte: one cursor goes through, and is compared at each end.
 */
function readSignatureData(source: Reader, version: number): SignatureData {
  const end = endOf(source, SIGNATURE_DATA, source.u32('signature_data_size'))
  const signature = source.bytes('signature_data.signature', SIGNATURE_SIZE)
  const attestationKey = source.bytes('signature_data.attestation_key', KEY_SIZE)
  const wrapped = version === 3 ? undefined : openCertification(source, QE_REPORT_CERTIFICATION)
  const qeReport = source.bytes('signature_data.qe_report', SGX_BODY_SIZE)
  const qeReportSignature = source.bytes('signature_data.qe_report_signature', SIGNATURE_SIZE)
  const qeAuthData = source.bytes('signature_data.qe_auth_data', source.u16('qe_auth_data_size'))
  const chainEnd = openCertification(source, PCK_CHAIN)
  const pckChain = source.bytes('certification.pck_chain', chainEnd - source.offset)
  if (wrapped !== undefined) requireEnd(source, CERTIFICATION_DATA, wrapped)
  requireEnd(source, SIGNATURE_DATA, end)
  return { signature, attestationKey, qeReport, qeReportSignature, qeAuthData, pckChain }
}

/** Where it ends. Types 1 to 4 and 7 name a PCK certificate without carrying it; nothing is fetched because evidence says so. */
function openCertification(source: Reader, expected: number): number {
  const offset = source.offset
  const type = source.u16('certification.type')
  if (type !== expected)
    throw new Malformed(
      { path: `${CERTIFICATION_DATA}.type`, offset },
      `type ${type}`,
      `type ${expected}`,
    )
  return endOf(source, CERTIFICATION_DATA, source.u32('certification.size'))
}

function endOf(source: Reader, path: string, size: number): number {
  if (size > source.left)
    throw new Malformed({ path, offset: source.offset }, `${source.left} bytes left`, `${size}`)
  return source.offset + size
}

function requireEnd({ offset }: Reader, path: string, end: number): void {
  if (offset !== end)
    throw new Malformed({ path, offset }, `a size that ends at ${end}`, `the end, at ${offset}`)
}

/** Every path below is written in this file or in layouts.ts. */
function ruleOf({ path }: Malformed): string {
  if (/\.reserved\d+$/.test(path)) return 'dcap.quote.reserved'
  if (path.includes('certification')) return 'dcap.quote.certification-data'
  if (path.includes('signature_data') || path.endsWith('qe_auth_data_size'))
    return 'dcap.quote.signature-data'
  return path === 'QUOTE' ? 'dcap.quote.trailing' : 'dcap.quote.length'
}

function fault(
  id: string,
  sentence: string,
  observed: Datum,
  expected: Datum,
): { readonly fault: StructureFault } {
  return { fault: { id, sentence, observed, expected } }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
