/**
 * How does a verifier's own evidence travel? The answer of `GET <issuer>/.well-known/attestation` as JSON, for the service that
 * writes it and the relying party that reads it. Every bound is on the reader's side: whoever answers may be anybody.
 */
import { z } from 'zod'
import { fromBase64Url, toBase64Url } from '../bytes/encoding.ts'
import type { EndorsementParts, SignedCollateral } from './endorsements.ts'
import type { Evidence } from './evidence.ts'

export interface VerifierAnswer {
  /** The text that the evidence is bound to, to be hashed as it is. */
  readonly claims: string
  /** Name of the TEE. */
  readonly tee: string
  readonly evidence: Evidence
  readonly endorsements: EndorsementParts
  /** The key set as text, of which the claims have the digest. */
  readonly jwks: string
}

const KIB = 1024

const bytes = (most: number) =>
  z
    .string()
    .min(1)
    .max(Math.ceil((most * 4) / 3))
    .transform((text, context) => {
      const decoded = fromBase64Url(text)
      if (decoded) return decoded
      context.addIssue('is not base64url')
      return z.NEVER
    })
    .meta({ contentEncoding: 'base64url' })

const collateral = z.strictObject({
  body: bytes(512 * KIB),
  signature: bytes(KIB),
  issuerChain: z.array(bytes(16 * KIB)).max(4),
})

export const verifierAnswerSchema = z.strictObject({
  claims: z
    .string()
    .max(8 * KIB)
    .meta({
      description:
        'Canonical JSON, as text. REPORT_DATA is SHA-512("vouchsafe/verifier-report-data/v1" || 0x00 || this text).',
    }),
  evidence: z.strictObject({
    tee: z.string().max(32),
    quote: bytes(64 * KIB),
    auxblob: bytes(96 * KIB).exactOptional(),
    eventLog: bytes(384 * KIB).exactOptional(),
  }),
  endorsements: z.strictObject({
    certificates: z.array(bytes(16 * KIB)).max(16),
    crls: z.array(bytes(512 * KIB)).max(8),
    tcbInfos: z.array(collateral).max(4),
    qeIdentities: z.array(collateral).max(4),
  }),
  jwks: z
    .string()
    .max(64 * KIB)
    .meta({ description: 'The key set as `jwks_uri` answers it, as text.' }),
})

/** Undefined for what is not of this form. Nothing of it is believed yet. */
export function readVerifierAnswer(json: unknown): VerifierAnswer | undefined {
  const parsed = verifierAnswerSchema.safeParse(json)
  if (!parsed.success) return undefined
  const { claims, evidence, endorsements, jwks } = parsed.data
  const { tee, ...rest } = evidence
  return { claims, tee, evidence: rest, endorsements, jwks }
}

export function verifierAnswerJson({
  claims,
  tee,
  evidence: { quote, auxblob, eventLog },
  endorsements: { certificates, crls, tcbInfos, qeIdentities },
  jwks,
}: VerifierAnswer) {
  return {
    claims,
    evidence: {
      tee,
      quote: toBase64Url(quote),
      ...(auxblob && { auxblob: toBase64Url(auxblob) }),
      ...(eventLog && { eventLog: toBase64Url(eventLog) }),
    },
    endorsements: {
      certificates: certificates.map(toBase64Url),
      crls: crls.map(toBase64Url),
      tcbInfos: tcbInfos.map(collateralJson),
      qeIdentities: qeIdentities.map(collateralJson),
    },
    jwks,
  } satisfies z.input<typeof verifierAnswerSchema>
}

function collateralJson({ body, signature, issuerChain }: SignedCollateral) {
  return {
    body: toBase64Url(body),
    signature: toBase64Url(signature),
    issuerChain: issuerChain.map(toBase64Url),
  }
}
