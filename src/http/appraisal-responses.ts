/** What is told about attestations that were decided: to operators everything that was kept, to the agent itself its own verdict. */
import { z } from 'zod'
import { findingJson } from '../rats/finding-json.ts'
import type { ExplainedAppraisal } from '../service/explain-appraisal.ts'
import type { AppraisalRecord } from '../service/ports.ts'
import type { KnownToken } from '../service/token-ports.ts'

const instant = z.iso.datetime()
/** JSON of whatever depth: a reference into itself would be one that OpenAPI resolves elsewhere. */
const datum = z.unknown()

const told = {
  id: z.string(),
  requestId: z.string(),
  at: instant,
  tenant: z.string(),
  environment: z.string(),
  agent: z.string(),
  tee: z.string(),
  verdict: z.enum(['issued', 'refused']),
  status: z.string(),
  trustVector: z.record(z.string(), z.int()),
}

const token = z.strictObject({
  jti: z.string(),
  form: z.string(),
  issuer: z.string(),
  subject: z.string(),
  audience: z.string(),
  scopes: z.array(z.string()),
  jkt: z.string(),
  issuedAt: instant,
  expiresAt: instant,
  status: z.strictObject({ list: z.int(), index: z.int() }),
  revocation: z
    .strictObject({ at: instant, reason: z.string(), detail: z.string(), by: z.string() })
    .nullable(),
})

const log = z.strictObject({
  leaf: z.string(),
  place: z
    .strictObject({
      in: z.enum(['waiting', 'log', 'denials']),
      index: z.int().nullable(),
      position: z.int().nullable(),
    })
    .nullable()
    .meta({ description: 'null where the log does not know this leaf.' }),
})

export const explainedResponse = z.strictObject({
  ...told,
  explained: z.literal('in full'),
  audiences: z.array(z.string()),
  refusal: z
    .strictObject({
      stage: z.string(),
      failing: z.array(z.string()),
      sentence: z.string(),
      advice: z.string(),
      fields: z
        .array(
          z.strictObject({
            check: z.string(),
            field: z.string(),
            line: z.int(),
            observed: datum,
            expected: datum,
          }),
        )
        .meta({
          description:
            'What differs from the nearest reference value, with lines of the manifest, while the policy that decided is in force.',
        }),
    })
    .nullable(),
  findings: z.array(
    z.strictObject({
      id: z.string(),
      outcome: z.enum(['pass', 'fail', 'not-reached', 'not-applicable', 'waived']),
      detail: z.string().nullable(),
      observed: datum,
      expected: datum,
      cites: z.string(),
      informs: z.string(),
    }),
  ),
  policy: z.strictObject({
    commit: z.string(),
    digest: z.string(),
    file: z.string(),
    line: z.int(),
    changedBy: z.strictObject({ commit: z.string(), principal: z.string().nullable() }).nullable(),
  }),
  referenceValue: z
    .strictObject({ id: z.string(), line: z.int(), isMatched: z.boolean() })
    .nullable()
    .meta({
      description: 'Matched, or the nearest; null where the release has none for this TEE.',
    }),
  layers: z.array(
    z.strictObject({
      subject: z.string(),
      digest: z.string(),
      bound: z.enum(['hardware', 'claimed']),
      through: z.string().nullable(),
    }),
  ),
  runtimeClaims: z.record(z.string(), z.string()),
  evidence: z
    .strictObject({
      sha256: z.string().nullable(),
      bytes: z.int().nullable(),
      endorsements: z.string(),
    })
    .meta({
      description:
        'null where the evidence is not authentic or not bound to the request: none of it is kept but its digests, in the private record of the leaf.',
    }),
  tokens: z.array(token),
  log,
})

export const ownVerdictResponse = z.strictObject({
  ...told,
  explained: z.literal('to the agent'),
  refusal: z.strictObject({ stage: z.string(), failing: z.array(z.string()) }).nullable(),
  tokens: z.array(
    z.strictObject({
      jti: z.string(),
      form: z.string(),
      audience: z.string(),
      expiresAt: instant,
      isRevoked: z.boolean(),
    }),
  ),
  log,
})

export const appraisalListResponse = z.strictObject({
  appraisals: z.array(z.strictObject(told)).meta({ description: 'The newest first.' }),
  unreadable: z.array(z.strictObject({ id: z.string(), at: instant })).meta({
    description:
      'Those of this page that somebody altered in the database, or what they rest on: nobody can say any more what they were.',
  }),
  next: z
    .string()
    .nullable()
    .meta({ description: 'Send it as `before` for the page after this; null at the end.' }),
})

export function toldJson(record: AppraisalRecord) {
  const { id, requestId, at, tenant, environment, agent, tee, verdict, status } = record
  return {
    id,
    requestId,
    at: at.toISOString(),
    tenant,
    environment,
    agent,
    tee,
    verdict,
    status,
    trustVector: { ...record.trustVector },
  } satisfies z.input<z.ZodObject<typeof told>>
}

/** `evidenceSha256`: hex, null where none is kept. The evidence itself is not told: it is large, and a machine's identity. */
export function explainedJson(explained: ExplainedAppraisal, evidenceSha256: string | null) {
  const { record, refusal, findings, tokens } = explained
  const { referenceValue, manifestProvenance } = record
  return {
    ...toldJson(record),
    explained: 'in full',
    audiences: [...record.audiences],
    refusal: refusal
      ? { ...refusal, failing: [...refusal.failing], fields: [...refusal.fields] }
      : null,
    findings: findings.map(findingJson),
    policy: {
      commit: record.policyCommit,
      digest: record.policyDigest,
      file: record.manifest,
      line: refusal?.fields[0]?.line ?? referenceValue?.line ?? 1,
      changedBy: manifestProvenance
        ? { commit: manifestProvenance.commit, principal: manifestProvenance.principal ?? null }
        : null,
    },
    referenceValue: referenceValue ?? null,
    layers: record.layers.map(({ subject, digest, bound, through }) => ({
      subject,
      digest,
      bound,
      through: through ?? null,
    })),
    runtimeClaims: { ...record.runtimeClaims },
    evidence: {
      sha256: evidenceSha256,
      bytes: record.evidence?.quote.length ?? null,
      endorsements: record.endorsementsDigest,
    },
    tokens: tokens.map(tokenJson),
    log: logJson(explained),
  } satisfies z.input<typeof explainedResponse>
}

export function ownVerdictJson(explained: ExplainedAppraisal) {
  const { record, refusal, tokens } = explained
  return {
    ...toldJson(record),
    explained: 'to the agent',
    refusal: refusal ? { stage: refusal.stage, failing: [...refusal.failing] } : null,
    tokens: tokens.map(({ jti, form, audience, expiresAt, revocation }) => ({
      jti,
      form,
      audience,
      expiresAt: expiresAt.toISOString(),
      isRevoked: revocation !== undefined,
    })),
    log: logJson(explained),
  } satisfies z.input<typeof ownVerdictResponse>
}

function tokenJson(known: KnownToken) {
  const { jti, form, issuer, subject, audience, scopes, jkt, issuedAt, expiresAt } = known
  const { status, revocation } = known
  return {
    jti,
    form,
    issuer,
    subject,
    audience,
    scopes: [...scopes],
    jkt,
    issuedAt: issuedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    status: { ...status },
    revocation: revocation ? { ...revocation, at: revocation.at.toISOString() } : null,
  } satisfies z.input<typeof token>
}

function logJson({ record, leaf }: ExplainedAppraisal) {
  return {
    leaf: record.leafHash,
    place: leaf
      ? {
          in: leaf.in,
          index: leaf.in === 'waiting' ? null : leaf.index,
          position: leaf.in === 'denials' ? leaf.position : null,
        }
      : null,
  } satisfies z.input<typeof log>
}
