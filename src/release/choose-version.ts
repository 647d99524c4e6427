/** Which version of a resource does a request get? The newest that is not revoked, unless it names one; never an older one than it needs. */

export interface OfferedVersion {
  /** From 1. */
  readonly version: number
  readonly revokedAt: Date | undefined
}

export interface VersionRequest {
  /** Exactly this one. */
  readonly version: number | undefined
  /** This one or a later one. */
  readonly minimumVersion: number | undefined
}

export type VersionChoice<V> =
  | { readonly chosen: V }
  /** One sentence, for whoever asked. */
  | { readonly none: string }

export function chooseVersion<V extends OfferedVersion>(
  versions: readonly V[],
  { version: wanted, minimumVersion = 1 }: VersionRequest,
): VersionChoice<V> {
  if (wanted !== undefined && wanted < minimumVersion)
    return { none: `version ${wanted} is asked for, and at least ${minimumVersion}` }
  const named = versions.filter(({ version }) => wanted === undefined || version === wanted)
  if (named.length === 0) return { none: `there is no version ${wanted}` }
  const chosen = named
    .filter(({ version, revokedAt }) => !revokedAt && version >= minimumVersion)
    .toSorted((a, b) => b.version - a.version)
    .at(0)
  if (chosen) return { chosen }
  if (wanted !== undefined) return { none: `version ${wanted} is revoked` }
  return {
    none:
      minimumVersion > 1
        ? `of at least version ${minimumVersion} there is none that is not revoked`
        : 'every version is revoked',
  }
}
