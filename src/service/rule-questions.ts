/** What are the operator's rules, and a remote policy, asked about a piece of evidence? */
import type { Match } from '../policy/match-release.ts'
import type { RemoteInput, RuleInput } from '../policy/rules/rule.ts'
import type { Finding } from '../rats/check.ts'
import type { ReleaseRule } from '../rats/release.ts'
import { statusOf, trustVector } from '../rats/trust-vector.ts'
import type { Authentic, Matter } from './decision.ts'
import { ruleInput } from './rule-input.ts'

/**
 * One for each audience that is asked for, and they differ in nothing else. Undefined where nobody would look at them:
 * writing out claims costs more than most checks. `findings`: all that were made before any rule is asked.
 */
export function ruleQuestions(
  { tenant, tee, policy, release, audiences, remote }: Matter,
  {
    authentic,
    match,
    rules,
    findings,
  }: {
    readonly authentic: Authentic
    readonly match: Match
    readonly rules: readonly ReleaseRule[] | undefined
    readonly findings: readonly Finding[]
  },
): readonly RuleInput[] | undefined {
  if (policy.rules.rules.length === 0 && !remote) return undefined
  const { assurance, evidence, endorsement } = authentic
  const input = ruleInput({
    tee: tee.name,
    assurance,
    status: statusOf(trustVector({ findings, assurance })),
    release,
    referenceValue: match.referenceValue,
    tenant: tenant.name,
    claims: tee.claims(evidence, endorsement),
    claimSchema: tee.claimSchema,
  })
  // A request that names none is judged by what it would get. Where it would get nothing, it is refused already.
  const asked = rules?.map(({ audience }) => audience) ?? audiences
  return (asked.length > 0 ? asked : ['']).map((audience) => ({
    ...input,
    request: { ...input.request, audience },
  }))
}

/** The same, with what is asked for. Undefined where there is nobody to ask, or nothing would be granted. */
export function remoteQuestions(
  { remote }: Matter,
  {
    inputs,
    rules,
  }: {
    readonly inputs: readonly RuleInput[] | undefined
    readonly rules: readonly ReleaseRule[] | undefined
  },
): readonly RemoteInput[] | undefined {
  if (!remote || !inputs || !rules) return undefined
  const { connection } = remote
  return inputs.map((input) => {
    const { audience } = input.request
    const scopes = rules.find((rule) => rule.audience === audience)?.scopes ?? []
    return { ...input, resource: { audience, scopes }, connection }
  })
}
