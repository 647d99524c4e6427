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

/** What makes a quote one of a TEE's. */
export interface QuoteForm<B> {
  /** Of the header. */
  readonly teeType: number
  /** The body that a quote of this version carries; `bodyType` is that of the v5 descriptor. Undefined: no such quote. */
  readonly body: (version: number, bodyType: number | undefined) => Layout<B> | undefined
}

/** Byte fields are views into the received quote. */
export interface Quote<B> {
  readonly header: QuoteHeader
  /** Of the version 5 descriptor; undefined before. */
  readonly bodyType: number | undefined
  readonly body: B
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
const MAX_PCK_CHAIN_BYTES = 32 * 1024

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
  const signatureData = source.bytes('signature_data', source.u32('signature_data_size'))
  source.doneButZeros()
  return {
    evidence: {
      header,
      bodyType: descriptor?.type,
      body: fields,
      signed,
      ...readSignatureData(signatureData, version),
      certification: signatureData.subarray(64),
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

/** Version 3 has the QE report and its certification right after the key; later versions wrap them as certification data of type 6. */
function readSignatureData(bytes: Uint8Array, version: number): SignatureData {
  const source = reader(bytes, SIGNATURE_DATA)
  const signature = source.bytes('signature', 64)
  const attestationKey = source.bytes('attestation_key', 64)
  if (version === 3) return { signature, attestationKey, ...readQeCertification(source) }
  const wrapped = readCertification(source, QE_REPORT_CERTIFICATION)
  source.done()
  return {
    signature,
    attestationKey,
    ...readQeCertification(reader(wrapped, CERTIFICATION_DATA)),
  }
}

function readQeCertification(source: Reader): Omit<SignatureData, 'signature' | 'attestationKey'> {
  const qeReport = source.bytes('qe_report', SGX_BODY_SIZE)
  const qeReportSignature = source.bytes('qe_report_signature', 64)
  const qeAuthData = source.bytes('qe_auth_data', source.u16('qe_auth_data_size'))
  const pckChain = readCertification(source, PCK_CHAIN)
  source.done()
  if (pckChain.length > MAX_PCK_CHAIN_BYTES)
    throw new Malformed(
      { path: `${CERTIFICATION_DATA}.pck_chain`, offset: 0 },
      `${pckChain.length} bytes`,
      `at most ${MAX_PCK_CHAIN_BYTES} bytes`,
    )
  return { qeReport, qeReportSignature, qeAuthData, pckChain }
}

/** Types 1 to 4 and 7 name a PCK certificate without carrying it; nothing is fetched because evidence says so. */
function readCertification(source: Reader, expected: number): Uint8Array {
  const offset = source.offset
  const type = source.u16('certification_type')
  if (type !== expected)
    throw new Malformed(
      { path: `${CERTIFICATION_DATA}.type`, offset },
      `type ${type}`,
      `type ${expected}`,
    )
  return source.bytes('certification_data', source.u32('certification_size'))
}

/** Every path below is written in this file or in layouts.ts. */
function ruleOf({ path }: Malformed): string {
  if (/\.reserved\d+$/.test(path)) return 'dcap.quote.reserved'
  if (path.includes('certification')) return 'dcap.quote.certification-data'
  if (path === SIGNATURE_DATA || path.startsWith(`${SIGNATURE_DATA}.`))
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
