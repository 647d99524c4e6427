/**
 * TCB info and QE identity as Intel PCS serves them: API v4, "TCB Info V3" and "Enclave Identity V2". Plain objects whose key
 * order and letter case are Intel's; the signature covers their text as it is sent.
 */
import { concat, toHex } from '../../src/bytes/encoding.ts'
import type { SignedCollateral } from '../../src/rats/endorsements.ts'
import type { MintedCertificate } from './mint/certificate.ts'
import { rawSignature } from './mint/ecdsa.ts'
import { ecdsaSha256 } from './mint/signing.ts'

interface CollateralDates {
  readonly issueDate: Date
  readonly nextUpdate: Date
}

export interface TcbLevelFields {
  /** Sixteen SVNs each; `tdx` only in TCB info of id TDX. */
  readonly sgx: readonly number[]
  readonly tdx?: readonly number[]
  readonly pceSvn: number
  readonly date: string
  readonly status: string
  readonly advisories?: readonly string[]
}

export interface ModuleIdentityFields {
  /** `TDX_01`: the number is the module's major version, TEE_TCB_SVN[1]. */
  readonly id: string
  readonly mrSigner?: Uint8Array
  readonly levels: readonly IsvLevelFields[]
}

export interface IsvLevelFields {
  readonly isvSvn: number
  readonly date: string
  readonly status: string
  readonly advisories?: readonly string[]
}

export interface TcbInfoFields extends CollateralDates {
  readonly fmspc: Uint8Array
  readonly pceId: Uint8Array
  readonly evaluationDataNumber: number
  readonly levels: readonly TcbLevelFields[]
  /** Present: TCB info of id TDX. */
  readonly modules?: readonly ModuleIdentityFields[]
}

export interface QeIdentityFields extends CollateralDates {
  readonly id: 'QE' | 'TD_QE'
  readonly evaluationDataNumber: number
  readonly mrSigner: Uint8Array
  readonly isvProdId: number
  readonly levels: readonly IsvLevelFields[]
}

/** JSON-ready, so that a fixture can change any member before it is signed. */
export type CollateralBody = Readonly<Record<string, unknown>>

export function tcbInfo(fields: TcbInfoFields): CollateralBody {
  const { modules } = fields
  return {
    id: modules ? 'TDX' : 'SGX',
    version: 3,
    ...datesOf(fields),
    fmspc: hex(fields.fmspc),
    pceId: hex(fields.pceId),
    tcbType: 0,
    tcbEvaluationDataNumber: fields.evaluationDataNumber,
    ...(modules && {
      tdxModule: seamIdentity(new Uint8Array(48)),
      tdxModuleIdentities: modules.map(({ id, mrSigner, levels }) => ({
        id,
        ...seamIdentity(mrSigner ?? new Uint8Array(48)),
        tcbLevels: levels.map(isvLevel),
      })),
    }),
    tcbLevels: fields.levels.map(({ sgx, tdx, pceSvn, date, status, advisories }) => ({
      tcb: {
        sgxtcbcomponents: componentsOf(sgx),
        pcesvn: pceSvn,
        ...(tdx && { tdxtcbcomponents: componentsOf(tdx) }),
      },
      ...verdict({ date, status, ...(advisories && { advisories }) }),
    })),
  }
}

export function qeIdentity(fields: QeIdentityFields): CollateralBody {
  return {
    id: fields.id,
    version: 2,
    ...datesOf(fields),
    tcbEvaluationDataNumber: fields.evaluationDataNumber,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: '11000000000000000000000000000000',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: hex(fields.mrSigner),
    isvprodid: fields.isvProdId,
    tcbLevels: fields.levels.map(isvLevel),
  }
}

/** `body` may be text already: a document that no serialiser would write. `issuers` default to the signer's whole chain. */
export function signCollateral(
  body: CollateralBody | string,
  signer: MintedCertificate,
  issuerChain: readonly Uint8Array[],
): SignedCollateral {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const bytes = new Uint8Array(new TextEncoder().encode(text))
  const { r, s } = rawSignature(signer.key.sign(bytes, ecdsaSha256), 32)
  return { body: bytes, signature: concat(r, s), issuerChain }
}

function seamIdentity(mrSigner: Uint8Array) {
  return {
    mrsigner: hex(mrSigner),
    attributes: '0000000000000000',
    attributesMask: 'FFFFFFFFFFFFFFFF',
  }
}

function isvLevel({ isvSvn, ...rest }: IsvLevelFields) {
  return { tcb: { isvsvn: isvSvn }, ...verdict(rest) }
}

function verdict({ date, status, advisories }: Omit<IsvLevelFields, 'isvSvn'>) {
  return {
    tcbDate: date,
    tcbStatus: status,
    ...(advisories && { advisoryIDs: advisories }),
  }
}

const componentsOf = (svns: readonly number[]) => svns.map((svn) => ({ svn }))

function datesOf({ issueDate, nextUpdate }: CollateralDates) {
  return { issueDate: seconds(issueDate), nextUpdate: seconds(nextUpdate) }
}

const seconds = (date: Date) => date.toISOString().replace(/\.\d{3}Z$/, 'Z')
const hex = (bytes: Uint8Array) => toHex(bytes).toUpperCase()
