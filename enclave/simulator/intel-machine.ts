/** One simulated Intel machine: its PKI, its PCK, its quoting enclaves, and the collateral that Intel would publish for it. */
import type { EndorsementParts, SignedCollateral } from '../../src/rats/endorsements.ts'
import type { QuotingPlatform } from './dcap.ts'
import {
  qeSigners,
  usualLevels,
  usualModules,
  usualQe,
  usualQeLevels,
  usualSvns,
} from './dcap-bodies.ts'
import { type IntelPki, type IntelRequest, intelPki } from './intel.ts'
import {
  type CollateralBody,
  type QeIdentityFields,
  qeIdentity,
  signCollateral,
  type TcbInfoFields,
  tcbInfo,
} from './intel-collateral.ts'
import type { PckFields } from './intel-pck.ts'

/** What a quote is about; TDX and SGX have a quoting enclave and a TCB info document each. */
export type DcapFamily = 'sgx' | 'tdx'

export interface IntelMachine {
  readonly pki: IntelPki
  readonly pckFields: PckFields
  readonly quoting: (family: DcapFamily) => QuotingPlatform
  readonly tcbInfo: (family: DcapFamily, changes?: Partial<TcbInfoFields>) => CollateralBody
  readonly qeIdentity: (family: DcapFamily, changes?: Partial<QeIdentityFields>) => CollateralBody
  /** Signed by the TCB signer, whose chain comes with it. */
  readonly sign: (body: CollateralBody | string) => SignedCollateral
  /** Everything that quotes of this machine need, current for 30 days from `issued`. */
  readonly collateral: (family: DcapFamily) => EndorsementParts
}

const EVALUATION_DATA_NUMBER = 19
const DAY = 24 * 60 * 60 * 1000

export function intelMachine(request: IntelRequest): IntelMachine {
  const { chance, issued } = request
  const pki = intelPki(request)
  const pckFields: PckFields = {
    ppid: chance.bytes('ppid', 16),
    components: usualSvns.sgx,
    pceSvn: usualSvns.pceSvn,
    pceId: new Uint8Array(2),
    fmspc: new Uint8Array([0xb0, 0xc0, 0x6f, 0, 0, 0]),
    sgxType: 1,
    platform: {
      instanceId: chance.bytes('platform instance', 16),
      dynamicPlatform: true,
      cachedKeys: true,
      smtEnabled: true,
    },
  }
  const pck = pki.pck(pckFields)
  const dates = { issueDate: issued, nextUpdate: new Date(issued.getTime() + 30 * DAY) }

  const machine: IntelMachine = {
    pki,
    pckFields,
    quoting: (family) => ({
      pck,
      pckChain: [pck, pki.platform, pki.root],
      attestationKey: chance.p256(`attestation-key-${family}`),
      qe: usualQe(family === 'sgx' ? 'QE' : 'TD_QE'),
    }),
    tcbInfo: (family, changes = {}) =>
      tcbInfo({
        ...dates,
        fmspc: pckFields.fmspc,
        pceId: pckFields.pceId,
        evaluationDataNumber: EVALUATION_DATA_NUMBER,
        levels: family === 'tdx' ? usualLevels : usualLevels.map(({ tdx: _, ...level }) => level),
        ...(family === 'tdx' && { modules: usualModules }),
        ...changes,
      }),
    qeIdentity(family, changes = {}) {
      const id = family === 'sgx' ? 'QE' : 'TD_QE'
      return qeIdentity({
        ...dates,
        id,
        evaluationDataNumber: EVALUATION_DATA_NUMBER,
        mrSigner: qeSigners[id],
        isvProdId: family === 'sgx' ? 1 : 2,
        levels: usualQeLevels,
        ...changes,
      })
    },
    sign: (body) => signCollateral(body, pki.tcbSigner, [pki.tcbSigner.der, pki.root.der]),
    collateral: (family) => ({
      certificates: [],
      crls: [pki.rootCrl(), pki.pckCrl()],
      tcbInfos: [machine.sign(machine.tcbInfo(family))],
      qeIdentities: [machine.sign(machine.qeIdentity(family))],
    }),
  }
  return machine
}
