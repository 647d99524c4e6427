/** Of which type is each claim of an authentic quote? What operators' rules are checked against, long before they are asked. */
import type { ClaimSchema } from '../../rats/tee.ts'

const header: ClaimSchema = {
  version: 'int',
  teeType: 'int',
  attestationKeyType: 'int',
  qeVendorId: 'string',
  userData: 'string',
  bodyType: 'int?',
}

const platform: ClaimSchema = {
  tcb: {
    status: 'string',
    date: 'string?',
    evaluationDataNumber: 'int',
    advisoryIds: 'list<string>',
    platform: 'string',
    sgx: 'string',
    module: 'string?',
    moduleId: 'string?',
    qe: 'string',
  },
  fmspc: 'string',
  pceId: 'string',
  ppid: 'string',
  cpuSvn: 'string',
  pceSvn: 'int',
  sgxTcbComponents: 'string',
  sgxType: 'string',
  platformInstanceId: 'string?',
  dynamicPlatform: 'bool?',
  cachedKeys: 'bool?',
  smtEnabled: 'bool?',
  pckSha256: 'string?',
}

/** What TDX 1.5 adds to a TD report is null in those of 1.0. */
export const tdxClaimSchema: ClaimSchema = {
  ...header,
  teeTcbSvn: 'string',
  mrSeam: 'string',
  mrSignerSeam: 'string',
  seamAttributes: 'string',
  tdAttributes: 'string',
  xfam: 'string',
  mrTd: 'string',
  mrConfigId: 'string',
  mrOwner: 'string',
  mrOwnerConfig: 'string',
  rtmr0: 'string',
  rtmr1: 'string',
  rtmr2: 'string',
  rtmr3: 'string',
  reportData: 'hidden',
  teeTcbSvn2: 'string?',
  mrServiceTd: 'string?',
  ...platform,
}

/** The platform's `cpuSvn` stands where the enclave's own would: it is the certified one. */
export const sgxClaimSchema: ClaimSchema = {
  ...header,
  miscSelect: 'string',
  cetAttributes: 'int',
  isvExtProdId: 'string',
  attributes: 'string',
  mrEnclave: 'string',
  mrSigner: 'string',
  configId: 'string',
  isvProdId: 'int',
  isvSvn: 'int',
  configSvn: 'int',
  isvFamilyId: 'string',
  reportData: 'hidden',
  ...platform,
}
