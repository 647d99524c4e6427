/**
 * Intel TDX: everything that the house knows about it, gathered in one value. Azure's TDs bind their report data through a
 * TPM quote that is not verified here: their evidence can be verified, but nothing bound by us is in `bind`.
 */
import type { TdxReference } from '../../rats/reference-values.ts'
import { defineTee, type Expectation } from '../../rats/tee.ts'
import { authenticityChecks } from './authenticity-checks.ts'
import { tdxClaimSchema } from './claim-schema.ts'
import { inspect, tdClaims } from './claims.ts'
import { type DcapEndorsement, type DcapForm, endorse } from './endorse.ts'
import { exactBits } from './expectation.ts'
import { identifyTd } from './identify.ts'
import { BODY_TD10, BODY_TD15, type TdBody, TEE_TDX, td10Body, td15Body } from './layouts.ts'
import { tdxProfiles } from './profiles.ts'
import { decodeQuote, type Quote, resemblesQuote, structure, teeTypeOf } from './quote.ts'
import { tdxChecks } from './tdx-checks.ts'

export type TdxQuote = Quote<TdBody>

const form: DcapForm<TdBody> = {
  teeType: TEE_TDX,
  body(version, bodyType) {
    if (version === 4) return td10Body
    if (version !== 5) return undefined
    if (bodyType === BODY_TD10) return td10Body
    return bodyType === BODY_TD15 ? td15Body : undefined
  },
  tcbInfoId: 'TDX',
  qeIdentityId: 'TD_QE',
  tdTcb: ({ teeTcbSvn, teeTcbSvn2 }) => ({ svn: teeTcbSvn, svn2: teeTcbSvn2 }),
}

const expectations: Readonly<Record<string, Expectation<TdxReference>>> = {
  reportData: { size: 64, apply: (reference, reportData) => ({ ...reference, reportData }) },
  mrTd: { size: 48, apply: (reference, mrTd) => ({ ...reference, mrTd }) },
  rtmr0: { size: 48, apply: (reference, rtmr0) => ({ ...reference, rtmr0 }) },
  rtmr1: { size: 48, apply: (reference, rtmr1) => ({ ...reference, rtmr1 }) },
  rtmr2: { size: 48, apply: (reference, rtmr2) => ({ ...reference, rtmr2 }) },
  rtmr3: { size: 48, apply: (reference, rtmr3) => ({ ...reference, rtmr3 }) },
  mrConfigId: { size: 48, apply: (reference, mrConfigId) => ({ ...reference, mrConfigId }) },
  mrOwner: { size: 48, apply: (reference, mrOwner) => ({ ...reference, mrOwner }) },
  mrOwnerConfig: {
    size: 48,
    apply: (reference, mrOwnerConfig) => ({ ...reference, mrOwnerConfig }),
  },
  mrSeam: { size: 48, apply: (reference, mrSeam) => ({ ...reference, mrSeam }) },
  mrServiceTd: {
    size: 48,
    apply: (reference, serviceTd) => ({
      ...reference,
      serviceTds: [...(reference.serviceTds ?? []), serviceTd],
    }),
  },
  tdAttributes: {
    size: 8,
    apply: (reference, value) => ({ ...reference, tdAttributes: exactBits(value) }),
  },
  xfam: { size: 8, apply: (reference, value) => ({ ...reference, xfam: exactBits(value) }) },
  platform: { size: 16, apply: (reference, id) => ({ ...reference, platforms: [id] }) },
}

export const tdx = defineTee<TdxQuote, DcapEndorsement, TdxReference>({
  name: 'tdx',
  mediaTypes: ['application/vnd.intel.tdx.quote'],
  structure,
  authenticate: authenticityChecks,
  appraise: tdxChecks,
  recognises: (quote) => resemblesQuote(quote) && teeTypeOf(quote) !== 0,
  decode: (evidence) => decodeQuote(evidence, form),
  endorse: (quote, context) => endorse(quote, form, context),
  bind: ({ body }) => body.reportData,
  // RTMR0 to RTMR2 are firmware's, boot loader's and kernel's; RTMR3 is left to what runs (Intel TDX Virtual Firmware Design Guide, 344991).
  runtimeRegister: ({ body }) => body.rtmr3,
  claims: tdClaims,
  claimSchema: tdxClaimSchema,
  identify: identifyTd,
  inspect,
  expectations,
  noReference: {},
  profiles: tdxProfiles,
})
