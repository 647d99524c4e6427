/**
 * Whose is the attestation key? The platform's PCK signs a report of the quoting enclave, the report's data names the key,
 * and Intel's identity names the enclave: Intel SGX ECDSA QuoteGenReference API, section "QE Report" of appendix A.4.
 */
import { hash, type KeyObject } from 'node:crypto'
import { isZero, toHex } from '../../bytes/encoding.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { derFromBigEndian } from '../../pki/ecdsa-value.ts'
import { ecdsaP256Sha256 } from '../../pki/scheme.ts'
import { type Judgement, refuse } from '../../rats/check.ts'
import { type SgxBody, sgxBody } from './layouts.ts'
import { malformation, unreached } from './malformation.ts'
import { judgeQe, type QeIdentity } from './qe-identity.ts'
import type { Quote } from './quote.ts'
import type { SvnLevel } from './tcb-info.ts'
import { levelOfSvn } from './tcb-level.ts'

export interface QeBinding {
  readonly wellFormed: Judgement
  readonly signature: Judgement
  /** First half of the report data: SHA-256 of attestation key and authentication data. */
  readonly binding: Judgement
  /** The other half: zero. */
  readonly padding: Judgement
  readonly debugOff: Judgement
  readonly identity: Judgement
  /** By which the quote is signed; undefined unless signature and binding hold and it is a point of P-256. */
  readonly attestationKey: KeyObject | undefined
  /** Undefined when the enclave's SVN is below all that Intel lists. */
  readonly level: SvnLevel | undefined
}

type QeCertification = Pick<
  Quote<unknown>,
  'attestationKey' | 'qeReport' | 'qeReportSignature' | 'qeAuthData'
>

export interface QeQuestion {
  readonly certification: QeCertification
  readonly pck: Certificate
  readonly identity: QeIdentity
  /** Parses a point, or remembers it. */
  readonly keyOf: (point: Uint8Array) => KeyObject | undefined
}

export const unboundQe: QeBinding = {
  wellFormed: unreached,
  signature: unreached,
  binding: unreached,
  padding: unreached,
  debugOff: unreached,
  identity: unreached,
  attestationKey: undefined,
  level: undefined,
}

const DEBUG = 0x02

export function judgeQeBinding({ certification, pck, identity, keyOf }: QeQuestion): QeBinding {
  let report: SgxBody
  try {
    report = sgxBody.decode(certification.qeReport)
  } catch (cause) {
    return { ...unboundQe, wellFormed: malformation('the QE report', cause) }
  }
  const signature = judgeSignature(certification, pck)
  const binding = judgeBinding(certification, report)
  return {
    wellFormed: true,
    signature,
    binding,
    padding: judgePadding(report),
    debugOff: judgeDebug(report),
    identity: judgeQe(report, identity),
    attestationKey:
      signature === true && binding === true ? keyOf(certification.attestationKey) : undefined,
    level: levelOfSvn(identity.levels, report.isvSvn),
  }
}

function judgeSignature(
  { qeReport, qeReportSignature }: QeCertification,
  pck: Certificate,
): Judgement {
  const signature = derFromBigEndian(
    qeReportSignature.subarray(0, 32),
    qeReportSignature.subarray(32),
  )
  return (
    (pck.keyType === ecdsaP256Sha256.keyType &&
      ecdsaP256Sha256.verifies(pck.publicKey, qeReport, signature)) ||
    refuse(
      "the signature on the QE report was not made by the platform's PCK: the attestation key is nobody's",
      `signature ${toHex(qeReportSignature)}`,
      `signed by ${pck.sha256}`,
    )
  )
}

function judgeBinding(
  { attestationKey, qeAuthData }: QeCertification,
  { reportData }: SgxBody,
): Judgement {
  // As text: node makes a hex digest in a third of the time of a Buffer.
  const expected = hash('sha256', Buffer.concat([attestationKey, qeAuthData]), 'hex')
  const observed = toHex(reportData.subarray(0, 32))
  return (
    observed === expected ||
    refuse(
      'the QE report names another attestation key or other authentication data than the quote carries',
      observed,
      expected,
    )
  )
}

/** Other verifiers compare 32 bytes and leave the rest to whoever can make the enclave write them. */
function judgePadding({ reportData }: SgxBody): Judgement {
  const observed = reportData.subarray(32)
  return (
    isZero(observed) ||
    refuse(
      'the second half of the QE report data is not zero',
      toHex(observed),
      toHex(new Uint8Array(32)),
    )
  )
}

/** A debug enclave's memory is the host's to read: its key is no secret. */
function judgeDebug({ attributes }: SgxBody): Judgement {
  return (
    ((attributes[0] ?? DEBUG) & DEBUG) === 0 ||
    refuse('the quoting enclave runs in debug mode', toHex(attributes), 'ATTRIBUTES.DEBUG clear')
  )
}
