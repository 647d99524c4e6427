/** May anything be released under the accepted policy at this instant? Not without one, and not when it fell silent for too long. */
import type { Policy } from '../policy/policy.ts'
import { Problem } from '../problems.ts'
import type { PolicySource } from './policy-ports.ts'

const RETRY_SECONDS = 30
/** A replica hears of what another accepted after two seconds or so. */
const NEWS_RETRY_SECONDS = 2

/** Throws Problem: `policy-unavailable`, or `policy-stale` when the heartbeat's grace is over. */
export function policyInForce(source: PolicySource, at: Date): Policy {
  const policy = source.accepted()
  if (!policy) {
    // Which condition is public; its message names files and people, and is not.
    const names = source.conditions(at).map(({ name }) => name)
    throw new Problem('policy-unavailable', `the policy is ${names.join(' and ')}`, {
      retryAfterSeconds: RETRY_SECONDS,
    })
  }
  const silence = silenceOf(policy, at)
  if (silence && at > silence.releasesUntil)
    throw new Problem(
      'policy-stale',
      `the policy's heartbeat ended at ${silence.since.toISOString()}, and its grace at ${silence.releasesUntil.toISOString()}`,
      { retryAfterSeconds: RETRY_SECONDS },
    )
  return policy
}

/** What another replica accepted, and this one is yet to read. */
export function policyNotRead(): Problem {
  return new Problem(
    'policy-unavailable',
    'another policy was accepted, and is not read here yet',
    {
      retryAfterSeconds: NEWS_RETRY_SECONDS,
    },
  )
}

export interface Silence {
  /** When the heartbeat ended. */
  readonly since: Date
  /** After this nothing is released any more. */
  readonly releasesUntil: Date
}

/** Undefined while the heartbeat holds, and where the trust root asks for none. */
export function silenceOf({ heartbeat }: Policy, at: Date): Silence | undefined {
  if (!heartbeat || at <= heartbeat.notAfter) return undefined
  const { notAfter, graceSeconds } = heartbeat
  return { since: notAfter, releasesUntil: new Date(notAfter.getTime() + graceSeconds * 1000) }
}
