/** A decision as people read it: the verdict, what failed with both sides, which line of the policy said so, and what to do. */
import { z } from 'zod'
import { type Paint, printable, shortened } from './text.ts'

const WIDTH = 10

/** Loose: a newer service may say more. */
export const explainedSchema = z.looseObject({
  id: z.string(),
  requestId: z.string(),
  at: z.string(),
  tenant: z.string(),
  environment: z.string(),
  agent: z.string(),
  tee: z.string(),
  verdict: z.enum(['issued', 'refused']),
  status: z.string(),
  trustVector: z.record(z.string(), z.number()),
  audiences: z.array(z.string()),
  refusal: z
    .looseObject({
      stage: z.string(),
      failing: z.array(z.string()),
      sentence: z.string(),
      advice: z.string(),
      fields: z.array(
        z.looseObject({
          field: z.string(),
          line: z.number(),
          observed: z.unknown(),
          expected: z.unknown(),
        }),
      ),
    })
    .nullable(),
  findings: z.array(
    z.looseObject({
      id: z.string(),
      outcome: z.string(),
      detail: z.string().nullable(),
      observed: z.unknown(),
      expected: z.unknown(),
      cites: z.string(),
    }),
  ),
  policy: z.looseObject({
    commit: z.string(),
    digest: z.string(),
    file: z.string(),
    line: z.number(),
    changedBy: z.looseObject({ commit: z.string(), principal: z.string().nullable() }).nullable(),
  }),
  referenceValue: z
    .looseObject({ id: z.string(), line: z.number(), isMatched: z.boolean() })
    .nullable(),
  tokens: z.array(
    z.looseObject({
      jti: z.string(),
      form: z.string(),
      audience: z.string(),
      expiresAt: z.string(),
      revocation: z
        .looseObject({ at: z.string(), reason: z.string(), detail: z.string(), by: z.string() })
        .nullable(),
    }),
  ),
  log: z.looseObject({
    leaf: z.string(),
    place: z
      .looseObject({
        in: z.string(),
        index: z.number().nullable(),
        position: z.number().nullable(),
      })
      .nullable(),
  }),
})

type Explained = z.infer<typeof explainedSchema>

/** Everything in it may have been written by whoever sent the evidence: nothing of it may steer the terminal. */
export function explanationText(explained: Explained, paint: Paint): string {
  const { id, requestId, at, tenant, environment, agent, tee } = explained
  return `${[
    `${'verdict'.padEnd(WIDTH)} ${verdictText(explained, paint)}`,
    row('agent', `${environment}/${agent} of the tenant ${tenant}, on ${tee}, at ${at}`),
    ...(explained.refusal ? refusalRows(explained, explained.refusal) : grantRows(explained)),
    row('policy', policyText(explained)),
    ...tokenRows(explained),
    row('log', logText(explained)),
    ...(explained.refusal ? [row('next', explained.refusal.advice)] : []),
    row('appraisal', id),
    row('request', requestId),
  ].join('\n')}\n`
}

function verdictText({ verdict, refusal, status }: Explained, paint: Paint): string {
  return verdict === 'issued'
    ? paint('good', `TOKENS ISSUED, ${printable(status)}`)
    : paint('bad', `REFUSED${refusal ? ` at ${printable(refusal.stage)}` : ''}`)
}

function refusalRows(
  { findings, referenceValue }: Explained,
  { failing, sentence, fields }: NonNullable<Explained['refusal']>,
): readonly string[] {
  const failures = findings.filter(({ id }) => failing.includes(id))
  return [
    ...(failures.length === 0
      ? [row('because', sentence)]
      : failures.flatMap(({ id, cites, detail, observed, expected }) => [
          row('check', `${id} (${cites})`),
          // The sentence says in words what the two rows below say.
          ...(detail === null || expected !== null ? [] : [row('', detail)]),
          row('observed', datumText(observed)),
          row('expected', datumText(expected)),
        ])),
    ...(referenceValue
      ? [row('nearest', `reference value ${referenceValue.id}, line ${referenceValue.line}`)]
      : []),
    ...fields.map(({ field, line }) => row('differs', `${field}, line ${line} of the manifest`)),
  ]
}

function grantRows({ trustVector, referenceValue }: Explained): readonly string[] {
  const trust = Object.entries(trustVector).map(([claim, tier]) => `${claim} ${tier}`)
  return [
    row('trust', trust.join(', ')),
    ...(referenceValue
      ? [row('matched', `reference value ${referenceValue.id}, line ${referenceValue.line}`)]
      : []),
  ]
}

function policyText({ policy: { file, line, commit, changedBy } }: Explained): string {
  const by = changedBy
    ? `, committed by ${changedBy.principal ?? 'somebody'} in ${changedBy.commit.slice(0, 12)}`
    : ''
  return `${file}:${line} at commit ${commit.slice(0, 12)}${by}`
}

function tokenRows({ tokens }: Explained): readonly string[] {
  return tokens.flatMap(({ jti, form, audience, expiresAt, revocation }) => [
    row(
      'token',
      `${form}${audience === '' ? '' : ` for ${audience}`}, until ${expiresAt}, jti ${jti}`,
    ),
    ...(revocation
      ? [
          row(
            'revoked',
            `at ${revocation.at} (${revocation.reason}) by ${revocation.by}: ${revocation.detail}`,
          ),
        ]
      : []),
  ])
}

function logText({ log: { leaf, place } }: Explained): string {
  if (!place) return `leaf ${leaf} is not known to the log`
  if (place.in === 'waiting') return `leaf ${leaf} waits for its number`
  const under = place.in === 'denials' ? `, place ${place.position} of its denials` : ''
  return `leaf ${leaf} at index ${place.index}${under}`
}

function datumText(datum: unknown): string {
  return typeof datum === 'string' ? datum : (JSON.stringify(datum) ?? '')
}

function row(name: string, text: string): string {
  return `${name.padEnd(WIDTH)} ${printable(shortened(text))}`.trimEnd()
}
