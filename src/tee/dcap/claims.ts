/** What an authentic quote says, in JSON: its fields, the platform that its PCK certificate names, and Intel's word on both. */
import { toHex } from '../../bytes/encoding.ts'
import type { Claims, ClaimValue } from '../../rats/tee.ts'
import { evaluationNumberOf, extensionOf, tcbOf } from './appraisal-checks.ts'
import type { DcapEndorsement } from './endorse.ts'
import { sgxBody, type TdBody } from './layouts.ts'
import { withoutTerminators } from './pem.ts'
import type { BodyLayout, Quote } from './quote.ts'
import type { TcbEvaluation } from './tcb-level.ts'

export function claims<B>(quote: Quote<B>, endorsement: DcapEndorsement): Claims {
  const extension = extensionOf(endorsement)
  const { platform } = extension
  const tcb = tcbOf(endorsement)
  return {
    ...quoteFields(quote),
    tcb: {
      status: tcb.status,
      date: tcb.platform ? isoDate(tcb.platform.date) : null,
      evaluationDataNumber: evaluationNumberOf(endorsement),
      advisoryIds: advisoryIdsOf(tcb),
      platform: tcb.platform?.status ?? 'NotSupported',
      /** By the SGX components alone. */
      sgx: tcb.sgx?.status ?? 'NotSupported',
      module: tcb.module ? (tcb.module.level?.status ?? 'NotSupported') : null,
      moduleId: tcb.module?.identity?.id ?? null,
      qe: tcb.qe?.status ?? 'NotSupported',
    },
    fmspc: toHex(extension.fmspc),
    pceId: toHex(extension.pceId),
    ppid: toHex(extension.ppid),
    cpuSvn: toHex(extension.cpuSvn),
    pceSvn: extension.pceSvn,
    sgxTcbComponents: toHex(extension.components),
    sgxType: extension.sgxType,
    platformInstanceId: platform ? toHex(platform.instanceId) : null,
    dynamicPlatform: platform?.dynamicPlatform ?? null,
    cachedKeys: platform?.cachedKeys ?? null,
    smtEnabled: platform?.smtEnabled ?? null,
    pckSha256: endorsement.pck.path?.certificates[0].sha256 ?? null,
  }
}

/** What only TDX 1.5 reports is null in what 1.0 reports, so that a rule that names it can be asked of both. */
export function tdClaims(quote: Quote<TdBody>, endorsement: DcapEndorsement): Claims {
  const { teeTcbSvn2 = null, mrServiceTd = null, ...rest } = claims(quote, endorsement)
  return { ...rest, teeTcbSvn2, mrServiceTd }
}

/** Unauthenticated, the quoting enclave's report included. */
export function inspect<B>(quote: Quote<B>): Claims {
  return {
    ...quoteFields(quote),
    attestationKey: toHex(quote.attestationKey),
    qeReport: qeReportFields(quote.qeReport),
    qeAuthData: toHex(quote.qeAuthData),
    pckChain: withoutTerminators(Buffer.from(quote.pckChain).toString('latin1')),
  }
}

function quoteFields<B>({ header, bodyType, body, bodyLayout }: Quote<B>): Claims {
  return {
    version: header.version,
    teeType: header.teeType,
    attestationKeyType: header.attestationKeyType,
    qeVendorId: toHex(header.qeVendorId),
    userData: toHex(header.userData),
    bodyType: bodyType ?? null,
    ...fieldsOf(bodyLayout, body),
  }
}

/** Nothing was checked yet: reserved bytes may be set, and then there are no fields to show. */
function qeReportFields(report: Uint8Array): ClaimValue {
  try {
    return fieldsOf(sgxBody, sgxBody.decode(report))
  } catch {
    return toHex(report)
  }
}

function fieldsOf<B>({ rows }: BodyLayout<B>, value: B): Claims {
  // A layout decodes to a value with one field for each of its rows that is not reserved.
  const fields = value as Readonly<Record<string, unknown>>
  const named = rows.filter(({ reserved }) => !reserved)
  return Object.fromEntries(named.map(({ name }) => [name, claimOf(fields[name])]))
}

function claimOf(value: unknown): ClaimValue {
  if (value instanceof Uint8Array) return toHex(value)
  return typeof value === 'number' ? value : String(value)
}

/** Of every level that took part, once each. */
function advisoryIdsOf({ platform, module, qe }: TcbEvaluation): readonly string[] {
  const all = [platform, module?.level, qe].flatMap((level) => level?.advisoryIds ?? [])
  return [...new Set(all)].toSorted()
}

/** `2024-03-13T00:00:00Z`, as Intel writes it. */
function isoDate(date: Date): string {
  return date.toISOString().replace('.000Z', 'Z')
}
