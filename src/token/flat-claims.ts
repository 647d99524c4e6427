/**
 * Which claims does a cloud's rule look at? Most compare top-level text only, so that what is nested elsewhere stands here once
 * more, flat. AWS takes session tags from a claim of its own.
 */
import type { AgentRelease, ReferenceValue } from '../rats/release.ts'
import type { Status } from '../rats/trust-vector.ts'

export interface FlatSubject {
  readonly tenant: string
  readonly release: AgentRelease
  readonly referenceValue: ReferenceValue
  readonly policy: { readonly commit: string; readonly digest: string }
  readonly result: { readonly status: Status }
  readonly hardware: string
}

export function flatClaims({
  tenant,
  release,
  referenceValue,
  policy,
  result,
  hardware,
}: FlatSubject): Readonly<Record<string, unknown>> {
  const { environment, agent, generation } = release
  const tags = { tenant, environment, agent, tier: result.status, hardware }
  return {
    att_status: result.status,
    att_environment: environment,
    att_agent: agent,
    att_generation: generation,
    att_reference_value: referenceValue.id,
    att_policy_commit: policy.commit,
    // IAM user guide, "Pass session tags in AWS STS", AssumeRoleWithWebIdentity: lists of one text each.
    'https://aws.amazon.com/tags': {
      principal_tags: Object.fromEntries(
        Object.entries(tags).map(([name, value]) => [name, [value]]),
      ),
      transitive_tag_keys: Object.keys(tags),
    },
  }
}
