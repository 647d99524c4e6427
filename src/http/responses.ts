/** The answers as they stand on the wire, and how they are made from what the use cases return. */
import { z } from 'zod'
import type { Provenance } from '../policy/acceptance/acceptance.ts'
import { findingJson } from '../rats/finding-json.ts'
import type { AppraisedEvidence } from '../service/appraise-evidence.ts'
import type { Attested } from '../service/attest.ts'
import type { IssuedChallenge } from '../service/issue-challenge.ts'
import type { IssuedToken } from '../service/issue-tokens.ts'

const instant = z.iso.datetime()
const vector = z.record(z.string(), z.int())
const status = z.enum(['affirming', 'warning', 'contraindicated', 'none'])
const assurance = z.enum(['hardware', 'simulated'])

export const challengeResponse = z.strictObject({ nonce: z.string(), expiresAt: instant })

export const issuedToken = z.strictObject({
  form: z.enum(['possession', 'federation', 'workload']),
  audience: z.string().meta({
    description: 'Of the release rule, and of the token: a workload token itself names none.',
  }),
  token: z.string(),
  encoding: z.enum(['jwt', 'jwe']).meta({
    description: 'jwe: the token is encrypted to enc_jwk (ECDH-ES, A256GCM); inside is a JWT.',
  }),
  type: z.enum(['at+jwt', 'JWT', 'wit+jwt']).meta({ description: 'typ of the JWT.' }),
  issuer: z.string(),
  subject: z.string(),
  expiresAt: instant,
  jti: z.string(),
  status: z
    .strictObject({ uri: z.string(), index: z.int() })
    .meta({ description: 'The entry of the Token Status List that tells of its revocation.' }),
})

export const logLeaf = z.string().meta({
  description: 'Hash of the leaf of the transparency log that answers for this decision, in hex.',
})

export const attestationResponse = z.strictObject({
  id: z.string().meta({ description: 'Of the appraisal.' }),
  tokens: z.array(issuedToken).min(1).max(4).meta({
    description: 'One for each audience, in the order in which they were asked for.',
  }),
  logLeaf,
  tee: z.string(),
  assurance,
  status,
  trustVector: vector,
  release: z.strictObject({
    environment: z.string(),
    agent: z.string(),
    version: z.string(),
    generation: z.int(),
    manifest: z.string(),
    referenceValue: z.string(),
    line: z.int().meta({ description: 'Of the manifest: where the reference value begins.' }),
    changedBy: z
      .strictObject({ commit: z.string(), principal: z.string().nullable() })
      .nullable()
      .meta({ description: 'The accepted change that last touched the manifest.' }),
  }),
  layers: z
    .array(
      z.strictObject({
        subject: z.string(),
        digest: z.string(),
        bound: z.enum(['hardware', 'claimed']),
        through: z.string().nullable(),
      }),
    )
    .meta({
      description:
        'How far the hardware’s word reaches: what it measured or names (and through which field), and what the agent only claims.',
    }),
  policy: z.strictObject({ commit: z.string(), digest: z.string() }),
})

const finding = z.strictObject({
  id: z.string(),
  outcome: z.enum(['pass', 'fail', 'not-reached', 'not-applicable', 'waived']),
  detail: z.string().nullable(),
  observed: z.unknown(),
  expected: z.unknown(),
  cites: z.string(),
  informs: z.string(),
})

export const appraisalResponse = z.strictObject({
  tee: z.string(),
  at: instant,
  assurance: assurance.nullable(),
  status,
  trustVector: vector,
  findings: z.array(finding),
  claims: z.record(z.string(), z.unknown()),
  missing: z.array(z.string()).meta({
    description: 'Vendor documents that were needed and could not be had.',
  }),
})

export const readinessResponse = z.strictObject({
  ready: z.boolean(),
  checks: z.array(z.strictObject({ name: z.string(), ok: z.boolean(), detail: z.string() })),
})

export const problemSchema = z
  .looseObject({
    type: z.string(),
    code: z.string().meta({ description: 'Stable: branch on this.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    next: z.string().meta({ description: 'What to do about it.' }),
    requestId: z.string(),
  })
  .meta({ description: 'RFC 9457.' })

export function challengeJson({ nonce, expiresAt }: IssuedChallenge) {
  return { nonce, expiresAt: expiresAt.toISOString() } satisfies z.input<typeof challengeResponse>
}

export function attestationJson({ id, logLeaf, issued }: Extract<Attested, Verdict<'issued'>>) {
  const { tokens, matter, decision, grant } = issued
  const { release, policy, tee } = matter
  return {
    id,
    tokens: tokens.map(tokenJson),
    logLeaf,
    tee: tee.name,
    assurance: grant.assurance,
    status: decision.status,
    trustVector: { ...decision.trustVector },
    release: {
      environment: release.environment,
      agent: release.agent,
      version: release.version,
      generation: release.generation,
      manifest: release.manifest.file,
      referenceValue: grant.referenceValue.id,
      line: grant.referenceValue.line,
      changedBy: changedBy(policy.provenanceOf(release.manifest.file)),
    },
    layers: decision.layers.map(({ subject, digest, bound, through }) => ({
      subject,
      digest,
      bound,
      through: through ?? null,
    })),
    policy: { commit: policy.commit, digest: policy.digest },
  } satisfies z.input<typeof attestationResponse>
}

export function tokenJson(token: IssuedToken) {
  const { expiresAt } = token
  return { ...token, expiresAt: expiresAt.toISOString() } satisfies z.input<typeof issuedToken>
}

interface Verdict<V extends Attested['verdict']> {
  readonly verdict: V
}

function changedBy(provenance: Provenance | undefined) {
  return provenance ? { commit: provenance.commit, principal: provenance.principal ?? null } : null
}

export function appraisalJson({ at, appraisal, missing }: AppraisedEvidence) {
  const { tee, assurance, status, trustVector, findings, claims } = appraisal
  return {
    tee,
    at: at.toISOString(),
    assurance: assurance ?? null,
    status,
    trustVector: { ...trustVector },
    findings: findings.map(findingJson),
    claims: { ...claims },
    missing: [...missing],
  } satisfies z.input<typeof appraisalResponse>
}

/**
 * Members of the problem document for refused evidence. Findings quote digests and lines of the policy, so a caller nobody
 * knows gets the stage and the failing ids, unless the configuration explains refusals to everybody.
 */
export function refusalMembers(
  { id, logLeaf, refusal }: Extract<Attested, Verdict<'refused'>>,
  { explained }: { readonly explained: boolean },
): Readonly<Record<string, unknown>> {
  const { stage, failing, explanation } = refusal
  const { findings, advice, policy, nearest, launchedAs } = explanation
  return {
    appraisal: id,
    logLeaf,
    stage,
    failing,
    ...(explained && { advice, policy, nearest, launchedAs, findings: findings.map(findingJson) }),
  }
}
