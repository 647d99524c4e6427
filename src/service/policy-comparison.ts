/** Do two policies agree in everything that a decision reads? If they do, no evidence needs to be decided again. */

import type { Revocations } from '../policy/documents/revocations.ts'
import type { Policy } from '../policy/policy.ts'
import type { Rule } from '../policy/rules/rule.ts'
import type { AgentRelease } from '../rats/release.ts'

/** A new heartbeat, other approvals or another README. */
export function decideAlike(a: Policy, b: Policy): boolean {
  return (
    a.releases.length === b.releases.length &&
    a.releases.every((one) => sameRelease(one, b.releaseOf(one.environment, one.agent))) &&
    rulesAndRevocationsAgree(a, b)
  )
}

/** The manifest, and the runtime configuration that it names: together all that a release is made of. */
export function sameRelease(a: AgentRelease | undefined, b: AgentRelease | undefined): boolean {
  if (!a || !b) return a === b
  return (
    a.manifest.sha256 === b.manifest.sha256 && a.runtimeConfig?.sha512 === b.runtimeConfig?.sha512
  )
}

export function rulesAndRevocationsAgree(a: Policy, b: Policy): boolean {
  const textOf = ({ rules, revocations }: Policy) =>
    JSON.stringify([rules.rules.map(factsOf), revocationsOf(revocations)])
  return textOf(a) === textOf(b)
}

/** Everything that moves its answer or its finding's outcome; not its cases, and not where it stands. */
function factsOf({ id, language, expression, module, severity, tee }: Rule) {
  return [id, language, expression, module?.sha256, module?.entrypoint, severity, tee]
}

function revocationsOf({ digests, platforms, agentKeys }: Revocations) {
  return [digests, platforms, agentKeys].map((revoked) => [...revoked.keys()].toSorted())
}
