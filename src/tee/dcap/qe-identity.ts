/**
 * Which quoting enclave does Intel vouch for? Decodes the `enclaveIdentity` document: Intel PCS API v4, "Get Quoting Enclave
 * Identity", structure EnclaveIdentityV2; and compares a QE report with it. Byte values are in memory order, as in the report.
 */
import { sameBytes, toHex } from '../../bytes/encoding.ts'
import type { Interval } from '../../pki/interval.ts'
import { type Judgement, refuse } from '../../rats/check.ts'
import { fieldsOfJson } from './json-fields.ts'
import type { SgxBody } from './layouts.ts'
import { matchesUnderMask } from './masked.ts'
import { requireVersion, type SvnLevel, svnLevels } from './tcb-info.ts'

/** notBefore is issueDate, notAfter is nextUpdate. */
export interface QeIdentity extends Interval {
  /** `QE` vouches for SGX quotes, `TD_QE` for TDX; a QvE's is refused as belonging to neither. */
  readonly id: string
  readonly evaluationDataNumber: number
  readonly miscSelect: Uint8Array
  readonly miscSelectMask: Uint8Array
  readonly attributes: Uint8Array
  readonly attributesMask: Uint8Array
  readonly mrSigner: Uint8Array
  readonly isvProdId: number
  readonly levels: readonly SvnLevel[]
}

const MAX_BYTES = 64 * 1024

/** Throws Malformed. */
export function decodeQeIdentity(body: Uint8Array): QeIdentity {
  const fields = fieldsOfJson(body, { path: 'enclaveIdentity', most: MAX_BYTES })
  requireVersion(fields, 'enclaveIdentity', 2)
  return {
    id: fields.text('id', /^(QE|QVE|TD_QE)$/),
    notBefore: fields.instant('issueDate'),
    notAfter: fields.instant('nextUpdate'),
    evaluationDataNumber: fields.integer('tcbEvaluationDataNumber', 0xffff_ffff),
    miscSelect: fields.hex('miscselect', 4),
    miscSelectMask: fields.hex('miscselectMask', 4),
    attributes: fields.hex('attributes', 16),
    attributesMask: fields.hex('attributesMask', 16),
    mrSigner: fields.hex('mrsigner', 32),
    isvProdId: fields.integer('isvprodid', 0xffff),
    levels: svnLevels(fields, 'enclaveIdentity'),
  }
}

/** EnclaveReportVerifier.cpp, but for the ISV SVN, which is a TCB matter. */
export function judgeQe(report: SgxBody, identity: QeIdentity): Judgement {
  if (!sameBytes(report.mrSigner, identity.mrSigner))
    return differs('signer', toHex(report.mrSigner), toHex(identity.mrSigner))
  if (report.isvProdId !== identity.isvProdId)
    return differs('product id', report.isvProdId, identity.isvProdId)
  if (!matchesUnderMask(report.miscSelect, identity.miscSelectMask, identity.miscSelect))
    return differs(
      'MISCSELECT',
      toHex(report.miscSelect),
      `${toHex(identity.miscSelect)} under mask ${toHex(identity.miscSelectMask)}`,
    )
  if (!matchesUnderMask(report.attributes, identity.attributesMask, identity.attributes))
    return differs(
      'ATTRIBUTES',
      toHex(report.attributes),
      `${toHex(identity.attributes)} under mask ${toHex(identity.attributesMask)}`,
    )
  return true
}

function differs(field: string, observed: string | number, expected: string | number): Judgement {
  return refuse(
    `the quoting enclave's ${field} is ${observed}; Intel's identity for it says ${expected}`,
    observed,
    expected,
  )
}
