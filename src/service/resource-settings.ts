/** How may a resource be had: what is said of a new one, what an old one keeps, and what nobody may loosen. */
import { Problem } from '../problems.ts'
import type { KnownResource, Resource } from './release-ports.ts'

export type ResourceSettings = Pick<
  Resource,
  'use' | 'approvals' | 'leaseSeconds' | 'releasesPerMinute' | 'brokerPath' | 'requiresSession'
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
}

/**
 * Throws Problem('resource-guarded') for a change that would let fewer operators, or a key that never left, out of a secret
 * that is there: one operator could do alone what two were to decide. Once every version is revoked there is nothing to guard.
 */
export function settledBy(
  known: KnownResource | undefined,
  change: SettingsChange,
): ResourceSettings {
  const { use, approvals, leaseSeconds, releasesPerMinute, brokerPath, requiresSession } =
    known ?? atFirst
  const before = { use, approvals, leaseSeconds, releasesPerMinute, brokerPath, requiresSession }
  const after = { ...before, ...change }
  if (known?.versions.some(({ revokedAt }) => !revokedAt)) assertGuarded(known, after)
  return after
}

function assertGuarded(
  { name, use, approvals }: ResourceSettings & Pick<Resource, 'name'>,
  after: ResourceSettings,
): void {
  if (after.approvals < approvals)
    throw new Problem(
      'resource-guarded',
      `${name} is given out when ${approvals} operators agree, and ${after.approvals} would be fewer`,
    )
  if (after.use !== use)
    throw new Problem('resource-guarded', `${name} is there to ${use}, and not to ${after.use}`)
}

export function sameSettings(a: ResourceSettings, b: ResourceSettings): boolean {
  return (
    a.use === b.use &&
    a.approvals === b.approvals &&
    a.leaseSeconds === b.leaseSeconds &&
    a.releasesPerMinute === b.releasesPerMinute &&
    a.brokerPath === b.brokerPath &&
    a.requiresSession === b.requiresSession
  )
}
