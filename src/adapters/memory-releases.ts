/** Releases, and what each of them rests on in the moment in which it is kept, in memory. */
import type { PendingLeaf } from '../service/log-ports.ts'
import type {
  RecordedRelease,
  ReleaseRecord,
  ReleaseRefusal,
  ReleaseStore,
} from '../service/release-ports.ts'
import { memoryApprovals } from './memory-approvals.ts'
import { memoryBrokerSessions } from './memory-broker-sessions.ts'
import { fault } from './memory-fault.ts'
import { memoryResources } from './memory-resources.ts'
import type { MemorySessions } from './memory-sessions.ts'

export interface Companions {
  /** Throws, and queues none, where one of these leaves waits already. */
  readonly queue: (leaves: readonly PendingLeaf[]) => void
  /** There is such a token of this tenant, of the form that this face takes, neither revoked nor expired at `at`. */
  readonly isLive: (jti: string, by: Pick<ReleaseRecord, 'face' | 'tenant' | 'at'>) => boolean
  readonly proofs: {
    readonly isUsed: (id: string) => boolean
    readonly use: (id: string, expiresAt: Date) => void
  }
  readonly isHeard: MemorySessions['isHeard']
  /** That was accepted last for a tenant; undefined: none ever was. */
  readonly acceptedCommit: (tenant: string) => string | undefined
}

const MINUTE = 60_000

export function memoryReleases({
  queue,
  isLive,
  proofs,
  isHeard,
  acceptedCommit,
}: Companions): ReleaseStore {
  const { known, ...resources } = memoryResources(queue)
  const { isGiven, forget: forgetApprovals, ...approvals } = memoryApprovals(queue)
  const releases = new Map<string, ReleaseRecord>()
  const counts = releaseCounts()

  const isBehind = (tenant: string, commit: string) => (acceptedCommit(tenant) ?? commit) !== commit
  const hasVersion = ({ tenant, resource, version }: ReleaseRecord) =>
    known(tenant, resource)?.versions.some(
      (each) => each.version === version && each.revokedAt === undefined,
    )

  function refusalOf(recorded: RecordedRelease): ReleaseRefusal | undefined {
    const { release, revision, proof, approval } = recorded
    const { tenant, resource, jti, policyCommit } = release
    if (!isLive(jti, release)) return 'token-revoked'
    if (!isHeard(jti, tenant, recorded.session)) return 'session-over'
    if (proof && proofs.isUsed(proof.id)) return 'proof-used'
    if (isBehind(tenant, policyCommit)) return 'policy-behind'
    if (known(tenant, resource)?.revision !== revision) return 'resource-changed'
    if (!hasVersion(release)) return 'version-revoked'
    if (approval && !isGiven(approval, release.at)) return 'approval-missing'
    if (!counts.hasRoom(recorded)) return 'too-many-releases'
    return undefined
  }

  return {
    ...resources,
    ...approvals,
    ...memoryBrokerSessions(),
    async recordRelease(recorded) {
      const refusal = refusalOf(recorded)
      if (refusal) return refusal
      const { release, proof, leaf } = recorded
      if (releases.has(release.id)) throw fault(`there is a release ${release.id} already`)
      queue([leaf])
      // From here on nothing throws.
      if (proof) proofs.use(proof.id, proof.expiresAt)
      counts.add(recorded)
      releases.set(release.id, release)
      return 'recorded'
    },
    findRelease: async (id) => releases.get(id),
    async renewLease(id, { at, until, jti, proof, policyCommit, session }) {
      const release = releases.get(id)
      if (!release?.leaseUntil || release.leaseUntil < at) return 'lease-over'
      if (!isLive(jti, { ...release, at })) return 'token-revoked'
      if (!isHeard(jti, release.tenant, session)) return 'session-over'
      if (proofs.isUsed(proof.id)) return 'proof-used'
      if (isBehind(release.tenant, policyCommit)) return 'policy-behind'
      if (!hasVersion(release)) return 'version-revoked'
      proofs.use(proof.id, proof.expiresAt)
      releases.set(id, { ...release, leaseUntil: until })
      return 'renewed'
    },
    async pruneReleases(before) {
      forgetApprovals(before)
      const gone = [...releases.values()].filter(
        ({ at, leaseUntil }) => at < before && (leaseUntil ?? at) < before,
      )
      for (const { id } of gone) releases.delete(id)
      return gone.length
    },
  }
}

/** Of each resource that has a limit: how many in which minute. A minute that is gone does not come back. */
function releaseCounts() {
  const counts = new Map<string, { readonly minute: number; readonly count: number }>()
  const current = ({ release: { tenant, resource, at } }: RecordedRelease) => {
    const key = JSON.stringify([tenant, resource])
    const minute = Math.floor(at.getTime() / MINUTE)
    const kept = counts.get(key)
    return kept && kept.minute >= minute ? { key, ...kept } : { key, minute, count: 0 }
  }
  return {
    hasRoom: (recorded: RecordedRelease) =>
      recorded.releasesPerMinute === undefined ||
      current(recorded).count < recorded.releasesPerMinute,
    add(recorded: RecordedRelease) {
      if (recorded.releasesPerMinute === undefined) return
      const { key, minute, count } = current(recorded)
      counts.set(key, { minute, count: count + 1 })
    },
  }
}
