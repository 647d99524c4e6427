/**
 * The requests as they stand on the wire: what each field may hold, how long it may be, and no field more. The same values
 * make the OpenAPI document, so every rule that is enforced is written there.
 */
import { z } from 'zod'
import { fromBase64, fromHex } from '../bytes/encoding.ts'

/** Longest accepted base64 text per field; the body as a whole is limited besides. */
const QUOTE = 64 * 1024
const AUXBLOB = 96 * 1024
const EVENT_LOG = 384 * 1024

const base64 = (most: number, description: string) =>
  z
    .string()
    .min(1)
    .max(most)
    .transform((text, context) => {
      const bytes = fromBase64(text)
      if (bytes && bytes.length > 0) return bytes
      context.addIssue('is not base64')
      return z.NEVER
    })
    .meta({ contentEncoding: 'base64', description })

const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be lower-case letters, digits and hyphens')
  .meta({ examples: ['default'] })
const tenant = name.default('default')
/** Of a tenant, as it stands in a path. */
export const tenantName = name
const thumbprint = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, 'must be an RFC 7638 SHA-256 thumbprint in base64url')
/** Of an appraisal, as answers have it: the database knows no other spelling. */
export const appraisalId = z
  .string()
  .regex(
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    'must be the id of an appraisal as the attestation’s answer has it',
  )
const coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url')
const printable = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')

const tee = z.string().max(32).exactOptional().meta({
  description: 'Name of the TEE (sev-snp, tdx, sgx). Without it the evidence itself decides.',
})

const evidence = z.strictObject({
  quote: base64(QUOTE, 'The SNP report, or the TDX or SGX quote, raw.'),
  auxblob: base64(AUXBLOB, 'TSM auxblob: the GHCB certificate table.').exactOptional(),
  eventLog: base64(EVENT_LOG, 'CC event log (CCEL).').exactOptional(),
})

/**
 * Reading a revocation list costs about 4 ms for each KiB, and anybody may send one: vendors' own are below 4 KiB, and the
 * largest recorded collateral has 21 KiB in all.
 */
const CRL = 16 * 1024
const COLLATERAL_FIELD = 32 * 1024
const endorsements = z
  .strictObject({
    certificates: z
      .array(base64(8 * 1024, 'One certificate in DER.'))
      .max(8)
      .default([]),
    crls: z.array(base64(CRL, 'One revocation list in DER.')).max(3).default([]),
    collateral: z
      .record(z.string().max(64), z.string().max(COLLATERAL_FIELD))
      .refine((fields) => Object.keys(fields).length <= 24, 'has too many fields')
      .exactOptional()
      .meta({
        description: 'Intel collateral: tcb_info, tcb_info_signature, tcb_info_issuer_chain, ...',
      }),
  })
  .default({ certificates: [], crls: [] })

/** Exactly the members that the thumbprint is made over: a `d` would be a private key, and the rest has no meaning here. */
export const publicKey = z
  .strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: coordinate, y: coordinate })
  .meta({ description: 'A public P-256 key as JWK.' })

const runtimeClaims = z
  .strictObject({
    nonce: z.string().regex(/^[A-Za-z0-9_-]{86}$/, 'must be a challenge of this service'),
    verifier: printable(512),
    sig_jkt: thumbprint,
    enc_jkt: z.union([z.literal(''), thumbprint]),
    tenant: name,
    agent: name,
    environment: name,
    session: z.string().regex(/^[A-Za-z0-9_-]{0,64}$/, 'must be at most 64 of A-Z a-z 0-9 _ -'),
    seq: z.string().regex(/^(0|[1-9]\d{0,15})$/, 'must be a decimal number as text'),
    transcript: z.string().regex(/^([0-9a-f]{64,128})?$/, 'must be empty or a digest in hex'),
  })
  .meta({
    description:
      'What the evidence is bound to: REPORT_DATA is SHA-512("vouchsafe/report-data/v1" || 0x00 || JCS(runtimeClaims)).',
  })

export const challengeRequest = z.strictObject({ tenant })

const audience = printable(255).min(1)
/** Each costs a signature: up to 0.25 ms of a core. */
const MOST_AUDIENCES = 4

export const attestationRequest = z.strictObject({
  tee,
  evidence,
  endorsements,
  runtimeClaims,
  jwk: publicKey,
  enc_jwk: publicKey.exactOptional(),
  audience: z
    .union([
      audience,
      z
        .array(audience)
        .min(1)
        .max(MOST_AUDIENCES)
        .refine((all) => new Set(all).size === all.length, 'names an audience twice'),
    ])
    .exactOptional()
    .meta({
      description:
        'For whom the tokens are: each names one release rule and yields one token of the form which that rule states. One that is not allowed refuses all. May be left out where the release has one rule only.',
    }),
  eat_nonce: z
    .string()
    .regex(/^[A-Za-z0-9_-]{11,86}$/, 'must be 8 to 64 bytes in base64url')
    .exactOptional()
    .meta({ description: 'What a relying party wants to see again in the tokens.' }),
})

const commit = z
  .string()
  .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, 'must be a full commit name')
  .meta({ description: 'Full name of a commit of the policy repository.' })

export const diffRequest = z.strictObject({ old: commit, new: commit })

export const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/, 'must be an instant in UTC (RFC 3339)')
  .transform((text, context) => {
    const at = new Date(text)
    // 30 February becomes a day of March: what is written back must be what was written.
    const isDay = !Number.isNaN(at.getTime()) && at.toISOString().slice(0, 19) === text.slice(0, 19)
    // The database has no year 0.
    if (isDay && !text.startsWith('0000')) return at
    context.addIssue('is not in the calendar')
    return z.NEVER
  })

const hexBytes = z
  .string()
  .max(256)
  .transform((text, context) => {
    const bytes = fromHex(text)
    if (bytes) return bytes
    context.addIssue('is not hex')
    return z.NEVER
  })
  .meta({ description: 'The whole field in hex.' })

/** As a Map, so that no name can reach a prototype. */
const mapOf = <T extends z.ZodType>(value: T, most: number) =>
  z
    .record(z.string().min(1).max(128), value)
    .transform((fields) => new Map(Object.entries(fields)))
    .refine((fields) => fields.size <= most, `has more than ${most} fields`)
    .default(new Map())

export const appraisalRequest = z.strictObject({
  tenant,
  tee,
  evidence,
  endorsements,
  at: instant.exactOptional().meta({
    description: 'Judge as of this instant, with the endorsements of this request only.',
  }),
  expect: mapOf(hexBytes, 32).meta({ description: 'Field name to expected bytes.' }),
  waive: mapOf(printable(200), 32).meta({ description: 'Check id or group to the reason.' }),
  profile: name.exactOptional().meta({ description: 'strict, aws, azure, gcp or alibaba.' }),
})
