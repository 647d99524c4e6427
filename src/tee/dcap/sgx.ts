/** Intel SGX by DCAP: everything that the house knows about it, gathered in one value. EPID quotes are not known here. */
import type { SgxReference } from '../../rats/reference-values.ts'
import { defineTee, type Expectation } from '../../rats/tee.ts'
import { authenticityChecks } from './authenticity-checks.ts'
import { sgxClaimSchema } from './claim-schema.ts'
import { claims, inspect } from './claims.ts'
import { type DcapEndorsement, type DcapForm, endorse } from './endorse.ts'
import { exactBits, numberOf } from './expectation.ts'
import { identifyEnclave } from './identify.ts'
import { BODY_SGX, type SgxBody, sgxBody, TEE_SGX } from './layouts.ts'
import { sgxProfiles } from './profiles.ts'
import { decodeQuote, type Quote, resemblesQuote, structure, teeTypeOf } from './quote.ts'
import { sgxChecks } from './sgx-checks.ts'

export type SgxQuote = Quote<SgxBody>

const form: DcapForm<SgxBody> = {
  teeType: TEE_SGX,
  body: (version, bodyType) => (version < 5 || bodyType === BODY_SGX ? sgxBody : undefined),
  tcbInfoId: 'SGX',
  qeIdentityId: 'QE',
  tdTcb: () => undefined,
}

const expectations: Readonly<Record<string, Expectation<SgxReference>>> = {
  reportData: { size: 64, apply: (reference, reportData) => ({ ...reference, reportData }) },
  mrEnclave: { size: 32, apply: (reference, mrEnclave) => ({ ...reference, mrEnclave }) },
  mrSigner: { size: 32, apply: (reference, mrSigner) => ({ ...reference, mrSigner }) },
  configId: { size: 64, apply: (reference, configId) => ({ ...reference, configId }) },
  /** Numbers as people write them in hex: the high byte first. */
  isvProdId: {
    size: 2,
    apply: (reference, value) => ({ ...reference, isvProdId: numberOf(value) }),
  },
  minimumIsvSvn: {
    size: 2,
    apply: (reference, value) => ({ ...reference, minimumIsvSvn: numberOf(value) }),
  },
  attributes: {
    size: 16,
    apply: (reference, value) => ({ ...reference, attributes: exactBits(value) }),
  },
  platform: { size: 16, apply: (reference, id) => ({ ...reference, platforms: [id] }) },
}

export const sgx = defineTee<SgxQuote, DcapEndorsement, SgxReference>({
  name: 'sgx',
  mediaTypes: ['application/vnd.intel.sgx.quote'],
  structure,
  authenticate: authenticityChecks,
  appraise: sgxChecks,
  recognises: (quote) => resemblesQuote(quote) && teeTypeOf(quote) === 0,
  decode: (evidence) => decodeQuote(evidence, form),
  endorse: (quote, context) => endorse(quote, form, context),
  bind: ({ body }) => body.reportData,
  claims,
  claimSchema: sgxClaimSchema,
  identify: identifyEnclave,
  inspect,
  expectations,
  noReference: {},
  profiles: sgxProfiles,
})
