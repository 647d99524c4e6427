/** How many secrets left, how often were keys used, and how often did the last look refuse it? Counted where they are recorded, so that none is given and not counted. */
import type { Store } from '../service/ports.ts'
import type { ReleaseRecord, ReleaseRefusal, ResourceUse } from '../service/release-ports.ts'

export interface ReleaseCounts {
  /** Does what the given store does, and counts. */
  readonly store: Store
  /** Since this process began. */
  readonly figures: () => ReleaseFigures
}

export interface ReleaseFigures {
  readonly recorded: readonly {
    readonly use: ResourceUse
    readonly face: ReleaseRecord['face']
    readonly count: number
  }[]
  readonly renewed: number
  /** In the transaction itself: what was refused before has its line in the journal. */
  readonly refused: Readonly<Record<ReleaseRefusal, number>>
}

const uses = ['release', 'decrypt', 'sign'] as const satisfies readonly ResourceUse[]
const faces = ['releases', 'key-broker'] as const satisfies readonly ReleaseRecord['face'][]

/** Every use, face and reason is there from the start, so that a rate has a beginning. */
export function countReleases(store: Store): ReleaseCounts {
  const recorded = uses.flatMap((use) => faces.map((face) => ({ use, face, count: 0 })))
  let renewed = 0
  const refused: Record<ReleaseRefusal, number> = {
    'token-revoked': 0,
    'session-over': 0,
    'proof-used': 0,
    'policy-behind': 0,
    'resource-changed': 0,
    'version-revoked': 0,
    'approval-missing': 0,
    'too-many-releases': 0,
  }
  return {
    store: {
      ...store,
      async recordRelease(release) {
        const outcome = await store.recordRelease(release)
        const { use, face } = release.release
        const counted = recorded.find((each) => each.use === use && each.face === face)
        if (outcome !== 'recorded') refused[outcome]++
        else if (counted) counted.count++
        return outcome
      },
      async renewLease(id, renewal) {
        const outcome = await store.renewLease(id, renewal)
        if (outcome === 'renewed') renewed++
        else if (outcome !== 'lease-over') refused[outcome]++
        return outcome
      },
    },
    figures: () => ({
      recorded: recorded.map((each) => ({ ...each })),
      renewed,
      refused: { ...refused },
    }),
  }
}
