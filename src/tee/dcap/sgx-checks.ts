/**
 * Is this enclave what somebody expects? Its attributes, and the comparisons with a reference value: Intel SDM volume 3D,
 * ATTRIBUTES (table 36-3) and REPORT (table 36-21).
 */
import { toHex } from '../../bytes/encoding.ts'
import { type Check, type Judgement, refuse } from '../../rats/check.ts'
import type { SgxReference } from '../../rats/reference-values.ts'
import {
  bitOf,
  type DcapSubject,
  expectedBits,
  expectedField,
  noExpectation,
  platformChecks,
} from './appraisal-checks.ts'
import type { SgxBody } from './layouts.ts'
import { isClearUnderMask } from './masked.ts'

type Subject = DcapSubject<SgxBody, SgxReference>
type SgxCheck = Check<Subject>

const SDM = 'Intel SDM volume 3D'
const BITS = { init: 0, debug: 1, provisionKey: 4, einitTokenKey: 5 } as const
/** Flags 3, 8, 9, 63:11. The upper eight bytes are XFRM. */
const RESERVED = Buffer.from('08fbffffffffffff0000000000000000', 'hex')

export const sgxChecks: readonly SgxCheck[] = [
  ...platformChecks,
  {
    id: 'sgx.attributes.debug-off',
    informs: 'runtime-opaque',
    cites: `${SDM}, ATTRIBUTES.DEBUG`,
    judge: ({ evidence: { body } }) =>
      !bitOf(body.attributes, BITS.debug) ||
      refuse(
        'the enclave runs in debug mode: the host can read and write its memory',
        toHex(body.attributes),
        'ATTRIBUTES bit 1 clear',
      ),
  },
  {
    id: 'sgx.attributes.initialised',
    informs: 'hardware',
    cites: `${SDM}, ATTRIBUTES.INIT`,
    judge: ({ evidence: { body } }) =>
      bitOf(body.attributes, BITS.init) ||
      refuse(
        'the enclave was not initialised, so its measurement is not final',
        toHex(body.attributes),
        'ATTRIBUTES bit 0 set',
      ),
  },
  {
    id: 'sgx.attributes.reserved',
    informs: 'configuration',
    cites: `${SDM}, ATTRIBUTES, reserved bits`,
    waivable: 'attributes',
    judge: ({ evidence: { body } }) =>
      isClearUnderMask(body.attributes, RESERVED) ||
      refuse(
        'the enclave has attributes whose meaning is not known here',
        toHex(body.attributes),
        'ATTRIBUTES bits 3, 8, 9 and 63:11 clear',
      ),
  },
  {
    id: 'sgx.attributes.provisioning-off',
    informs: 'configuration',
    cites: `${SDM}, ATTRIBUTES.PROVISIONKEY and EINITTOKENKEY`,
    waivable: 'attributes',
    judge: ({ evidence: { body } }) =>
      !(bitOf(body.attributes, BITS.provisionKey) || bitOf(body.attributes, BITS.einitTokenKey)) ||
      refuse(
        'the enclave may derive the provisioning or launch key, by which it can be told from every other enclave of this machine',
        toHex(body.attributes),
        'ATTRIBUTES bits 4 and 5 clear',
      ),
  },
  expectedBits(
    expectation('attributes', 'configuration', { field: 'ATTRIBUTES', compares: 'attributes' }),
    (enclave) => enclave.attributes,
    (reference) => reference.attributes,
  ),
  expectedField(
    expectation('mr-enclave', 'executables', { field: 'MRENCLAVE', compares: 'mrEnclave' }),
    (enclave) => enclave.mrEnclave,
    (reference) => reference.mrEnclave,
  ),
  expectedField(
    expectation('mr-signer', 'executables', { field: 'MRSIGNER', compares: 'mrSigner' }),
    (enclave) => enclave.mrSigner,
    (reference) => reference.mrSigner,
  ),
  {
    ...expectation('isv-prod-id', 'executables', { field: 'ISVPRODID', compares: 'isvProdId' }),
    judge: ({ evidence: { body }, reference }) => judgeProduct(body, reference),
  },
  {
    id: 'sgx.isv-svn.floor',
    informs: 'executables',
    cites: `${SDM}, REPORT.ISVSVN`,
    compares: 'minimumIsvSvn',
    judge: ({ evidence: { body }, reference }) => judgeSvn(body, reference),
  },
  expectedField(
    expectation('config-id', 'configuration', { field: 'CONFIGID', compares: 'configId' }),
    (enclave) => enclave.configId,
    (reference) => reference.configId,
  ),
  expectedField(
    expectation('report-data', 'instance-identity', {
      field: 'REPORTDATA',
      compares: 'reportData',
    }),
    (enclave) => enclave.reportData,
    (reference) => reference.reportData,
  ),
]

function expectation(
  name: string,
  informs: SgxCheck['informs'],
  { field, compares }: { readonly field: string; readonly compares: keyof SgxReference },
) {
  return { id: `sgx.${name}.expected`, informs, cites: `${SDM}, REPORT.${field}`, compares }
}

/** Only together with the signer does it say anything: every signer numbers products of its own. */
function judgeProduct({ isvProdId }: SgxBody, { isvProdId: expected }: SgxReference): Judgement {
  if (expected === undefined) return noExpectation
  return (
    isvProdId === expected ||
    refuse(`ISVPRODID is ${isvProdId}, expected ${expected}`, isvProdId, expected)
  )
}

function judgeSvn({ isvSvn }: SgxBody, { minimumIsvSvn: floor }: SgxReference): Judgement {
  if (floor === undefined) return noExpectation
  return isvSvn >= floor || refuse(`ISVSVN is ${isvSvn}, below the floor ${floor}`, isvSvn, floor)
}
