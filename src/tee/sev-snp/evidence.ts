/** From received bytes to a decoded report: the structure rules, and which of them a fault breaks. */
import { Malformed } from '../../bytes/malformed.ts'
import type { Refusal } from '../../rats/check.ts'
import type { Evidence } from '../../rats/evidence.ts'
import type { Decoding, StructureRule } from '../../rats/tee.ts'
import {
  POLICY_MUST_BE_ONE,
  POLICY_MUST_BE_ZERO,
  SIGNER_INFO_RESERVED,
  type SigningKey,
  signingKeyOf,
} from './bits.ts'
import { decodeCertificateTable } from './certificate-table.ts'
import { REPORT_SIZE, type Report, reportLayout, SIGNED_SIZE, supportedVersions } from './report.ts'

export interface SnpEvidence {
  readonly report: Report
  /** The received bytes that the signature covers. */
  readonly signed: Uint8Array
  readonly signingKey: SigningKey
  /** DER certificates that came with the report. */
  readonly certificates: readonly Uint8Array[]
  /** The table as received, which names it in cache keys. */
  readonly certificateTable: Uint8Array
}

const REPORT = 'AMD 56860 rev. 1.58 table 23'
const rule = (id: string, cites: string, informs: StructureRule['informs'] = 'hardware') => ({
  id,
  informs,
  cites,
})

export const structure: readonly StructureRule[] = [
  rule('snp.report.length', REPORT),
  rule('snp.report.version', `${REPORT}, VERSION`),
  rule('snp.report.reserved', `${REPORT}, reserved fields`),
  rule('snp.signature.canonical', 'AMD 56860 rev. 1.58, ECDSA P-384 signature format'),
  rule('snp.signature.algorithm', `${REPORT}, SIGNATURE_ALGO; signature algorithm encodings`),
  rule('snp.policy.reserved', 'AMD 56860 rev. 1.58 table 9', 'configuration'),
  rule('snp.signing-key.known', `${REPORT}, SIGNING_KEY`),
  rule('snp.signing-key.signed', `${REPORT}, SIGNING_KEY = 7 (none)`),
  rule('snp.certificate-table.well-formed', 'AMD 56421 rev. 2.03 section 4.1.8.1'),
]

export function decodeEvidence({ quote, auxblob }: Evidence): Decoding<SnpEvidence> {
  if (quote.length !== REPORT_SIZE)
    return fault('snp.report.length', {
      sentence: `an attestation report is ${REPORT_SIZE} bytes long; ${quote.length} were received`,
      observed: quote.length,
      expected: REPORT_SIZE,
    })
  const version = new DataView(quote.buffer, quote.byteOffset).getUint32(0, true)
  const layout = reportLayout(version)
  if (!layout)
    return fault('snp.report.version', {
      sentence: `report version ${version} is not supported; its layout is unknown, so nothing in it can be believed`,
      observed: version,
      expected: supportedVersions,
    })
  try {
    return judgeFields(layout.decode(quote), quote, auxblob ?? new Uint8Array())
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return fault(ruleOf(cause), {
      sentence: cause.message,
      observed: cause.observed,
      expected: cause.expected,
    })
  }
}

/** Rules over decoded fields that are about form, not about trust: a report that breaks one was never made by this firmware interface. */
function judgeFields(
  report: Report,
  quote: Uint8Array,
  certificateTable: Uint8Array,
): Decoding<SnpEvidence> {
  if (report.signatureAlgo !== 1)
    return fault('snp.signature.algorithm', {
      sentence: `SIGNATURE_ALGO is ${report.signatureAlgo}; only 1 (ECDSA P-384 with SHA-384) is defined`,
      observed: report.signatureAlgo,
      expected: 1,
    })
  if ((report.policy & POLICY_MUST_BE_ONE) === 0n || (report.policy & POLICY_MUST_BE_ZERO) !== 0n)
    return fault('snp.policy.reserved', {
      sentence: `guest policy 0x${report.policy.toString(16)} breaks its reserved bits: bit 17 must be one and bits 63 to 26 zero`,
      observed: `0x${report.policy.toString(16)}`,
      expected: 'bit 17 set, bits 63:26 clear',
    })
  const signingKey = signingKeyOf(report.signerInfo)
  if (signingKey === 'reserved' || (report.signerInfo & SIGNER_INFO_RESERVED) !== 0)
    return fault('snp.signing-key.known', {
      sentence: `SIGNER_INFO 0x${report.signerInfo.toString(16)} names a reserved signing key or sets reserved bits`,
      observed: `0x${report.signerInfo.toString(16)}`,
      expected: 'SIGNING_KEY 0 (VCEK) or 1 (VLEK), bits 31:5 clear',
    })
  if (signingKey === 'none')
    return fault('snp.signing-key.signed', {
      sentence: 'the report says that no key signed it (SIGNING_KEY 7)',
      observed: 7,
      expected: [0, 1],
    })
  return {
    evidence: {
      report,
      signed: quote.subarray(0, SIGNED_SIZE),
      signingKey,
      certificates: decodeCertificateTable(certificateTable),
      certificateTable,
    },
  }
}

/** The upper 24 bytes of R and S are reserved rows too, with a rule of their own: verifiers that truncate them accept two forms of one signature. */
function ruleOf({ path }: Malformed): string {
  if (path.startsWith('certificate table')) return 'snp.certificate-table.well-formed'
  return /reserved(2d0|318)$/.test(path) ? 'snp.signature.canonical' : 'snp.report.reserved'
}

function fault(id: string, refusal: Refusal): { fault: Refusal & { id: string } } {
  return { fault: { id, ...refusal } }
}
