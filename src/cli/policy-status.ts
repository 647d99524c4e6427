/** `vouchsafe policy status`: what a running service says about its policies. */
import { z } from 'zod'
import { REFUSED, YES } from './answering.ts'
import { Mistake, noPath, parseArguments } from './arguments.ts'
import type { PolicyDeps } from './policy-deps.ts'
import { askService } from './policy-service.ts'
import { coloured, type Paint, plain, printable } from './text.ts'

const options = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe policy status --url URL --token-file FILE: which policy does a service enforce, and what ails it?

  --url URL              address of the service
  --token-file FILE      holds your operator token (role viewer)
  --json                 print what the service answers: {policies: [{tenant, conditions, accepted, enforcementPoints, drift}]}

Exits 0 (every tenant Synced, nobody lags), 2 (something is to be seen to) or 1 (could not tell).

Example:
  vouchsafe policy status --url https://attest.example.com --token-file token
`

/** Loose: a newer service may say more. */
const answerSchema = z.looseObject({
  policies: z.array(
    z.looseObject({
      tenant: z.string(),
      conditions: z
        .array(
          z.looseObject({
            name: z.string(),
            message: z.string(),
            since: z.string(),
            commit: z.string().nullable(),
          }),
        )
        .min(1),
      accepted: z
        .looseObject({
          commit: z.string(),
          digest: z.string(),
          since: z.string(),
          sequence: z.number(),
        })
        .nullable(),
      enforcementPoints: z.array(
        z.looseObject({
          name: z.string(),
          kind: z.string(),
          commit: z.string(),
          reportedAt: z.string(),
          lagging: z.boolean(),
          reason: z.string().nullable(),
        }),
      ),
      drift: z
        .looseObject({
          from: z.looseObject({ commit: z.string() }),
          to: z.looseObject({ commit: z.string() }),
          at: z.string(),
          examined: z.number(),
          unexaminable: z.number(),
          changed: z.number(),
        })
        .nullable(),
    }),
  ),
})
type Policy = z.infer<typeof answerSchema>['policies'][number]

export async function policyStatus(args: readonly string[], deps: PolicyDeps): Promise<number> {
  const { values, positionals } = parseArguments('policy status', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  noPath('policy status', positionals, 'Name the service with --url.')
  if (values.url === undefined)
    throw new Mistake(
      '--url is missing: only a running service knows which policy it enforces.',
      'Give its address and your operator token: --url https://attest.example.com --token-file FILE. To judge a repository, use `vouchsafe policy verify`.',
    )
  const answer = await askService({ method: 'GET', path: '/v1/policies' }, answerSchema, {
    url: values.url,
    tokenFile: values['token-file'],
    deps,
  })
  const { policies } = answer
  const paint = deps.colour ? coloured : plain
  deps.out(
    values.json
      ? `${JSON.stringify(answer)}\n`
      : policies.map((policy) => statusText(policy, paint)).join('\n'),
  )
  return policies.every(isWell) ? YES : REFUSED
}

function isWell({ conditions, enforcementPoints }: Policy): boolean {
  return (
    conditions.every(({ name }) => name === 'Synced') &&
    !enforcementPoints.some(({ lagging }) => lagging)
  )
}

function statusText(policy: Policy, paint: Paint): string {
  const { tenant, conditions, accepted, enforcementPoints, drift } = policy
  return `${[
    printable(tenant),
    ...conditions.flatMap(({ name, message, since }) => [
      `  ${paint(name === 'Synced' ? 'good' : 'bad', name)} since ${since}`,
      ...message.split('\n').map((line) => `    ${printable(line)}`),
    ]),
    accepted
      ? `  accepted   ${accepted.commit} on ${accepted.since}, as number ${accepted.sequence}, ${accepted.digest}`
      : '  accepted   nothing: nothing is released',
    ...enforcementPoints.map(
      ({ name, kind, commit, reportedAt, lagging, reason }) =>
        `  ${paint(lagging ? 'bad' : 'good', lagging ? 'lagging   ' : 'enforced  ')} ${kind} ${printable(name)} at ${commit.slice(0, 12)}, said at ${reportedAt}${reason === null ? '' : `: ${printable(reason)}`}`,
    ),
    drift
      ? `  drift      ${drift.changed} of ${drift.examined} verdicts changed from ${drift.from.commit.slice(0, 12)} to ${drift.to.commit.slice(0, 12)}${drift.unexaminable > 0 ? `; ${drift.unexaminable} could not be judged again` : ''}`
      : '  drift      no change of policy was looked into yet',
  ].join('\n')}\n`
}
