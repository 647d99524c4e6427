/** How may a resource be had: what is said of a new one, what an old one keeps, and what nobody may loosen. */
import { Problem } from '../problems.ts'
import type { KnownResource, Resource } from './release-ports.ts'

export type ResourceSettings = Pick<
  Resource,
  | 'use'
  | 'approvals'
  | 'leaseSeconds'
  | 'releasesPerMinute'
  | 'brokerPath'
  | 'requiresSession'
  | 'acceptsSimulated'
>

/** What is absent stays as it is; undefined takes a limit or a path away. */
export type SettingsChange = Partial<ResourceSettings>

const atFirst: ResourceSettings = {
  use: 'release',
  approvals: 0,
  leaseSeconds: 300,
  releasesPerMinute: undefined,
  brokerPath: undefined,
  requiresSession: false,
  acceptsSimulated: false,
}

/**
 * Throws Problem('resource-guarded') for a change that would loosen what guards a secret that is there. Once every version is
 * revoked there is nothing to guard.
 */
export function settledBy(
  known: KnownResource | undefined,
  change: SettingsChange,
): ResourceSettings {
  const before = settingsOf(known ?? atFirst)
  const after = { ...before, ...change }
  if (known?.versions.some(({ revokedAt }) => !revokedAt)) assertGuarded(known.name, before, after)
  return after
}

export function sameSettings(a: ResourceSettings, b: ResourceSettings): boolean {
  return (
    a.use === b.use &&
    a.approvals === b.approvals &&
    a.leaseSeconds === b.leaseSeconds &&
    a.releasesPerMinute === b.releasesPerMinute &&
    a.brokerPath === b.brokerPath &&
    a.requiresSession === b.requiresSession &&
    a.acceptsSimulated === b.acceptsSimulated
  )
}

/** And nothing else of a resource. */
export function settingsOf({
  use,
  approvals,
  leaseSeconds,
  releasesPerMinute,
  brokerPath,
  requiresSession,
  acceptsSimulated,
}: ResourceSettings): ResourceSettings {
  return {
    ...{ use, approvals, leaseSeconds, releasesPerMinute, brokerPath },
    ...{ requiresSession, acceptsSimulated },
  }
}

function assertGuarded(name: string, before: ResourceSettings, after: ResourceSettings): void {
  const looser = loosened(before, after)
  if (looser.length > 0)
    throw new Problem('resource-guarded', `${name} ${looser.join('; and it ')}`)
}

/** What guarded a secret before and would not after, each as the end of a sentence about the resource. */
export function loosened(before: ResourceSettings, after: ResourceSettings): readonly string[] {
  const guards = before.approvals > 0 ? [...whoMayHaveIt, ...whatWasAgreedTo] : whoMayHaveIt
  return guards.flatMap((guard) => guard(before, after) ?? [])
}

/** What would be looser, as the end of a sentence about the resource. Undefined: nothing. */
type Guard = (before: ResourceSettings, after: ResourceSettings) => string | undefined

/** An operator could alone give it to somebody to whom the one before him did not mean to give it. */
const whoMayHaveIt: readonly Guard[] = [
  // Which of them lets out more depends on the key: a signature in its name may be worth more than a look at it.
  (before, after) =>
    after.use === before.use ? undefined : `is there to ${before.use}, and not to ${after.use}`,
  (before, after) =>
    after.approvals < before.approvals
      ? `is given out when ${before.approvals} operators agree, and ${after.approvals} would be fewer`
      : undefined,
  (before, after) =>
    before.requiresSession && !after.requiresSession
      ? 'is given only inside a session, and would be given to agents that nobody watches'
      : undefined,
  (before, after) =>
    !before.acceptsSimulated && after.acceptsSimulated
      ? 'is given only to evidence of hardware, and would be given to simulated evidence'
      : undefined,
]

/**
 * How often, for how long and by which door: one operator decides these where one operator gives the secret out. Where several
 * must agree, they agreed to what they saw, and what they agreed to is good for twelve hours.
 */
const whatWasAgreedTo: readonly Guard[] = [
  ({ releasesPerMinute: before }, { releasesPerMinute: after }) =>
    (after ?? Number.POSITIVE_INFINITY) > (before ?? Number.POSITIVE_INFINITY)
      ? `is given out ${before} times a minute, and ${after ?? 'no limit'} would be more, though operators must agree to each release`
      : undefined,
  (before, after) =>
    after.leaseSeconds > before.leaseSeconds
      ? `is leased for ${before.leaseSeconds} s, and ${after.leaseSeconds} s would be longer, though operators must agree to each release`
      : undefined,
  ({ brokerPath: before }, { brokerPath: after }) =>
    after !== undefined && after !== before
      ? `is ${before === undefined ? 'nowhere on' : `at ${before} of`} the Key Broker face, and would be at ${after}, though operators must agree to each release`
      : undefined,
]
