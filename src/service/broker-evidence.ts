/**
 * Evidence as the Key Broker protocol carries it: JSON, in one form for each TEE. Whatever is not listed here is refused; what
 * is goes the way of all evidence. Throws Problem('evidence-unrecognised'), without what was sent.
 */
import { z } from 'zod'
import { fromBase64 } from '../bytes/encoding.ts'
import { Malformed } from '../bytes/malformed.ts'
import { Problem } from '../problems.ts'
import { canonicalJson } from '../rats/canonical-json.ts'
import { type EndorsementParts, noParts } from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AnyTee } from '../rats/tee.ts'
import { tdx } from '../tee/dcap/tdx.ts'
import { sample } from '../tee/sample/sample.ts'
import type { ExactJson } from '../tee/sev-snp/json-rows.ts'
import { reportOfJson } from '../tee/sev-snp/report-json.ts'
import { sevSnp } from '../tee/sev-snp/sev-snp.ts'

export interface BrokerTee {
  readonly tee: AnyTee
  /** Nobody signs it: it has a switch of its own. */
  readonly isUnsigned: boolean
  /** Where its evidence carries the digest of init-data, by which hash; undefined: nowhere. */
  readonly initData: InitDataField | undefined
  readonly read: (json: ExactJson) => ReadEvidence
}

export interface InitDataField {
  /** Of the TEE's expectations and of what `inspect` tells. */
  readonly field: string
  /** The one whose digest fills the field: nothing is padded or cut. */
  readonly algorithm: 'sha256' | 'sha384'
}

export interface ReadEvidence {
  readonly evidence: Evidence
  /** Certificates and lists that came with it. */
  readonly brought: EndorsementParts
}

/** By the name that the protocol has for it. */
export const brokerTees: ReadonlyMap<string, BrokerTee> = new Map([
  [
    'snp',
    {
      tee: sevSnp,
      isUnsigned: false,
      initData: { field: 'hostData', algorithm: 'sha256' },
      read: snpEvidence,
    },
  ],
  [
    'tdx',
    {
      tee: tdx,
      isUnsigned: false,
      initData: { field: 'mrConfigId', algorithm: 'sha384' },
      read: tdxEvidence,
    },
  ],
  ['sample', { tee: sample, isUnsigned: true, initData: undefined, read: sampleEvidence }],
])

const MOST_CERTIFICATES = 8
const LARGEST_CERTIFICATE = 8 * 1024
const LARGEST_CRL = 16 * 1024

const octets = (most: number) =>
  z
    .array(z.int().min(0).max(255))
    .min(1)
    .max(most)
    .transform((list) => Uint8Array.from(list))

/** The types are those of the host's certificate table; the checks find out what each certificate really is. */
const snpForm = z.strictObject({
  attestation_report: z.unknown(),
  cert_chain: z
    .array(
      z.union([
        z.strictObject({ cert_type: z.literal('CRL'), data: octets(LARGEST_CRL) }),
        z.strictObject({
          cert_type: z.enum(['ARK', 'ASK', 'VCEK', 'VLEK', 'Empty']),
          data: octets(LARGEST_CERTIFICATE),
        }),
        // A vendor's own entry, which says nothing about the report.
        z.strictObject({
          cert_type: z.strictObject({ OTHER: z.string().max(64) }),
          data: octets(LARGEST_CERTIFICATE),
        }),
      ]),
    )
    .max(MOST_CERTIFICATES)
    .nullish(),
})

function snpEvidence(json: ExactJson): ReadEvidence {
  const { cert_chain: chain } = formOf(snpForm, json, 'snp')
  // The schema has just found it to be an object with this member; read from the exact value, not through the schema.
  const report = (json as { readonly attestation_report: ExactJson }).attestation_report
  const held = (chain ?? []).filter(({ cert_type }) => typeof cert_type === 'string')
  const of = (isList: boolean) =>
    held.filter((each) => (each.cert_type === 'CRL') === isList).map(({ data }) => data)
  return {
    evidence: { quote: rebuilt(report) },
    brought: { ...noParts, certificates: of(false), crls: of(true) },
  }
}

function rebuilt(report: ExactJson): Uint8Array {
  try {
    return reportOfJson(report)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    throw new Problem(
      'evidence-unrecognised',
      `snp: the report cannot be rebuilt byte for byte: ${cause.message}`,
    )
  }
}

const base64 = z.string().transform((text, context) => {
  const bytes = fromBase64(text)
  if (bytes) return bytes
  context.addIssue({ code: 'custom', message: 'must be base64' })
  return z.NEVER
})

const tdxForm = z.strictObject({
  quote: base64,
  cc_eventlog: base64.nullish(),
  /** Older agents send it. Nothing in it is judged. */
  aa_eventlog: z.string().nullish(),
})

function tdxEvidence(json: ExactJson): ReadEvidence {
  const { quote, cc_eventlog: eventLog } = formOf(tdxForm, json, 'tdx')
  return { evidence: { quote, ...(eventLog && { eventLog }) }, brought: noParts }
}

const printable = z.string().regex(/^[\x20-\x7e]{0,128}$/, 'must be short text')
/** What else newer clients say of themselves is as little worth as this, and no part of what is kept. */
const sampleForm = z.object({ svn: printable, report_data: printable })

/** Kept in one spelling, so that what is stored can be judged again. */
function sampleEvidence(json: ExactJson): ReadEvidence {
  return {
    evidence: { quote: canonicalJson(formOf(sampleForm, json, 'sample')) },
    brought: noParts,
  }
}

function formOf<S extends z.ZodType>(form: S, json: ExactJson, tee: string): z.output<S> {
  const parsed = form.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue?.path.map(String).join('.') || 'the evidence'
  throw new Problem(
    'evidence-unrecognised',
    `${tee}: ${place}: ${issue?.message ?? 'another form'}`,
  )
}
