/** What a healthy TD, SGX enclave and quoting enclave report; and the machine they run on: SVNs, and collateral to match. */
import type { SgxBody, TdBody } from '../../src/tee/dcap/layouts.ts'
import type { IsvLevelFields, ModuleIdentityFields, TcbLevelFields } from './intel-collateral.ts'

/** SEPT_VE_DISABLE. */
const USUAL_TD_ATTRIBUTES = new Uint8Array([0, 0, 0, 0x10, 0, 0, 0, 0])
/** x87, SSE, AVX, AVX-512, PKRU, AMX: what recorded TDs have. */
const USUAL_XFAM = new Uint8Array([0xe7, 0x02, 0x06, 0, 0, 0, 0, 0])
/** INITTED, MODE64BIT; XFRM x87, SSE, AVX. */
const USUAL_SGX_ATTRIBUTES = new Uint8Array([0x05, ...zeros(7), 0xe7, ...zeros(7)])
/** The same with PROVISION_KEY, as a quoting enclave needs it. */
const QE_ATTRIBUTES = new Uint8Array([0x15, ...zeros(7), 0xe7, ...zeros(7)])

/** Intel's signer of its SGX and TDX quoting enclaves, SHA-256 of a public key. */
export const qeSigners = {
  QE: fromText('8c4f5775d796503e96137f77c68a829a0056ac8ded70140b081b094490c57bff'),
  TD_QE: fromText('dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5'),
} as const

/** SGX SVNs and PCESVN of a machine with everything up to date, and its TDX SVNs: module 1.5 with ISVSVN 6. */
export const usualSvns = {
  sgx: [3, 3, 2, 2, 4, 1, 0, 5, ...zeros(8)],
  tdx: [6, 1, 3, ...zeros(13)],
  pceSvn: 13,
} as const

/** Newest first, as Intel lists them. */
export const usualLevels: readonly TcbLevelFields[] = [
  {
    sgx: [3, 3, 2, 2, 4, 1, 0, 5, ...zeros(8)],
    tdx: [5, 0, 3, ...zeros(13)],
    pceSvn: 13,
    date: '2025-05-14T00:00:00Z',
    status: 'UpToDate',
  },
  {
    sgx: [2, 2, 2, 2, 3, 1, 0, 5, ...zeros(8)],
    tdx: [5, 0, 2, ...zeros(13)],
    pceSvn: 11,
    date: '2024-03-13T00:00:00Z',
    status: 'OutOfDate',
    advisories: ['INTEL-SA-00837'],
  },
]

export const usualModules: readonly ModuleIdentityFields[] = [
  {
    id: 'TDX_03',
    levels: [{ isvSvn: 3, date: '2025-05-14T00:00:00Z', status: 'UpToDate' }],
  },
  {
    id: 'TDX_01',
    levels: [
      { isvSvn: 6, date: '2025-05-14T00:00:00Z', status: 'UpToDate' },
      {
        isvSvn: 4,
        date: '2024-03-13T00:00:00Z',
        status: 'OutOfDate',
        advisories: ['INTEL-SA-01036'],
      },
    ],
  },
]

export const usualQeLevels: readonly IsvLevelFields[] = [
  { isvSvn: 8, date: '2025-05-14T00:00:00Z', status: 'UpToDate' },
  { isvSvn: 6, date: '2021-11-10T00:00:00Z', status: 'OutOfDate', advisories: ['INTEL-SA-00615'] },
  { isvSvn: 1, date: '2018-08-15T00:00:00Z', status: 'Revoked' },
]

export function usualTdBody(): TdBody {
  return {
    teeTcbSvn: new Uint8Array(usualSvns.tdx),
    mrSeam: new Uint8Array(48),
    mrSignerSeam: new Uint8Array(48),
    seamAttributes: new Uint8Array(8),
    tdAttributes: USUAL_TD_ATTRIBUTES,
    xfam: USUAL_XFAM,
    mrTd: new Uint8Array(48),
    mrConfigId: new Uint8Array(48),
    mrOwner: new Uint8Array(48),
    mrOwnerConfig: new Uint8Array(48),
    rtmr0: new Uint8Array(48),
    rtmr1: new Uint8Array(48),
    rtmr2: new Uint8Array(48),
    rtmr3: new Uint8Array(48),
    reportData: new Uint8Array(64),
  }
}

/** With what TDX 1.5 adds: the module as it is now, and no service TD. */
export function usualTd15Body(): TdBody {
  return {
    ...usualTdBody(),
    teeTcbSvn2: new Uint8Array(usualSvns.tdx),
    mrServiceTd: new Uint8Array(48),
  }
}

export function usualSgxBody(): SgxBody {
  return {
    cpuSvn: new Uint8Array(usualSvns.sgx),
    miscSelect: new Uint8Array(4),
    cetAttributes: 0,
    isvExtProdId: new Uint8Array(16),
    attributes: USUAL_SGX_ATTRIBUTES,
    mrEnclave: new Uint8Array(32),
    mrSigner: new Uint8Array(32),
    configId: new Uint8Array(64),
    isvProdId: 0,
    isvSvn: 0,
    configSvn: 0,
    isvFamilyId: new Uint8Array(16),
    reportData: new Uint8Array(64),
  }
}

/** Intel's quoting enclave for SGX (ISVPRODID 1) or TDX (2). */
export function usualQe(id: 'QE' | 'TD_QE'): Omit<SgxBody, 'reportData'> {
  return {
    ...usualSgxBody(),
    attributes: QE_ATTRIBUTES,
    mrSigner: qeSigners[id],
    isvProdId: id === 'QE' ? 1 : 2,
    isvSvn: 8,
  }
}

function zeros(count: number): readonly number[] {
  return new Array<number>(count).fill(0)
}

function fromText(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}
