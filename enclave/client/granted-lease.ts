/**
 * How long may what was released be used? The service signs instants of its own clock; the agent turns them into durations from
 * the moment at which it asked, and believes no more than its own measured configuration allows.
 */
import type { SignedLease } from '../../src/seal/signed-lease.ts'
import { AnswerDistrusted } from './faults.ts'
import type { GrantedLease } from './released-secret.ts'
import type { Stopwatch } from './surroundings.ts'

export interface AskedLease {
  /** Since before the question was sent. */
  readonly age: Stopwatch
  /** The latest that the service's clock can have shown at the start of `age`, in seconds since 1970. */
  readonly askedAtSeconds: number
  readonly longestSeconds: number
}

/** Throws AnswerDistrusted where there is none: what may be used for ever was never released. */
export function grantedLease(
  lease: SignedLease | undefined,
  { age, askedAtSeconds, longestSeconds }: AskedLease,
): GrantedLease {
  if (!lease) throw new AnswerDistrusted('what was signed names no lease')
  const secondsUntil = (instant: Date) => instant.getTime() / 1000 - askedAtSeconds
  const seconds = Math.min(secondsUntil(lease.expiresAt), longestSeconds)
  // A third is left for trying again, of what is believed and not of what was said.
  const renewAfter = Math.min(secondsUntil(lease.renewBy), (seconds * 2) / 3)
  return { age, seconds: Math.max(0, seconds), renewAfterSeconds: Math.max(0, renewAfter) }
}
