/** Figures about what leaves: releases, renewals, and what was refused at the last moment. */
import type { MetricFamily } from './metrics-text.ts'
import type { ReleaseFigures } from './release-counts.ts'

export function releaseFamilies(releases: ReleaseFigures | undefined): readonly MetricFamily[] {
  return [
    {
      name: 'vouchsafe_releases_total',
      help: 'Secrets that this process released, and operations with keys that stay, by use and face.',
      type: 'counter',
      samples: (releases?.recorded ?? []).map(({ use, face, count: value }) => ({
        labels: { use, face },
        value,
      })),
    },
    {
      name: 'vouchsafe_lease_renewals_total',
      help: 'Leases that this process renewed.',
      type: 'counter',
      samples: releases ? [{ labels: {}, value: releases.renewed }] : [],
    },
    {
      name: 'vouchsafe_releases_refused_total',
      help: 'Releases and renewals that were refused in the transaction that would have recorded them, by reason.',
      type: 'counter',
      samples: Object.entries(releases?.refused ?? {}).map(([reason, value]) => ({
        labels: { reason },
        value,
      })),
    },
  ]
}
