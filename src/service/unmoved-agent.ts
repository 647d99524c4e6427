/**
 * Was a session judged by a policy that says the same about its agent as the one in force? Every commit of the repository makes another policy:
 * a new heartbeat, or another agent's manifest, must not ask a whole fleet for quotes.
 */
import type { Policy } from '../policy/policy.ts'
import { rulesAndRevocationsAgree, sameRelease } from './policy-comparison.ts'
import type { PolicySource } from './policy-ports.ts'
import type { SessionRecord } from './session-ports.ts'

/** Whole policies are kept. Of one that this process never saw, or that is longer ago, nothing is known. */
const MOST_KNOWN = 8
const seen = new WeakMap<PolicySource, Policy[]>()
const agreements = new WeakMap<Policy, WeakMap<Policy, boolean>>()

/** The record, as judged by the policy in force where that changes nothing for it. */
export function judgedAlike(session: SessionRecord, source: PolicySource): SessionRecord {
  const policy = source.accepted()
  if (!policy) return session
  const known = knownTo(source, policy)
  if (session.policyDigest === policy.digest) return session
  const before = known.find(({ digest }) => digest === session.policyDigest)
  return before && areAlike(before, policy, session)
    ? { ...session, policyDigest: policy.digest }
    : session
}

function knownTo(source: PolicySource, policy: Policy): readonly Policy[] {
  const known = seen.get(source) ?? []
  if (known.at(-1) === policy) return known
  const kept = [...known.filter(({ digest }) => digest !== policy.digest), policy].slice(
    -MOST_KNOWN,
  )
  seen.set(source, kept)
  return kept
}

function areAlike(
  a: Policy,
  b: Policy,
  { environment, agent }: Pick<SessionRecord, 'environment' | 'agent'>,
): boolean {
  return (
    sameRelease(a.releaseOf(environment, agent), b.releaseOf(environment, agent)) && agree(a, b)
  )
}

/** Of all rules and revocations, once for each pair. */
function agree(a: Policy, b: Policy): boolean {
  const known = agreements.get(a) ?? new WeakMap<Policy, boolean>()
  agreements.set(a, known)
  const agreed = known.get(b) ?? rulesAndRevocationsAgree(a, b)
  known.set(b, agreed)
  return agreed
}
