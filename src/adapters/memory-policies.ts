/** Accepted policies and who enforces them, in memory. */
import { linkAfter } from '../service/acceptance-chain.ts'
import type { PendingLeaf } from '../service/log-ports.ts'
import type {
  AcceptanceLink,
  DriftReport,
  EnforcementPoint,
  PolicyRecord,
} from '../service/policy-ports.ts'
import type { Store } from '../service/ports.ts'
import type { Publish } from './memory-events.ts'
import { policyEvent } from './store-events.ts'

export interface Companions {
  readonly publish: Publish
  /** Throws, and queues none, where one of these leaves waits already. */
  readonly queue: (leaves: readonly PendingLeaf[]) => void
}

export function memoryPolicies({ publish, queue }: Companions) {
  const policies = new Map<string, PolicyRecord>()
  const acceptances: AcceptanceLink[] = []
  const acceptancesOf = (tenant: string) => acceptances.filter((link) => link.tenant === tenant)
  return {
    acceptedCommit: (tenant: string) => policies.get(tenant)?.commit,
    policyOf: async (tenant: string) => policies.get(tenant),
    async policyHeadOf(tenant) {
      const record = policies.get(tenant)
      return record && { sequence: record.sequence, commit: record.commit }
    },
    async acceptPolicy(previous, next, leaf) {
      const current = policies.get(next.tenant)
      if (current?.commit !== previous || (current?.sequence ?? 0) !== next.sequence - 1)
        return 'superseded'
      queue([leaf])
      policies.set(next.tenant, next)
      acceptances.push(linkAfter(acceptancesOf(next.tenant).at(-1), next))
      publish(policyEvent(next))
      return 'accepted'
    },
    acceptancesOf: async (tenant) => acceptancesOf(tenant),
    ...sightings(),
    ...enforcement(),
  } satisfies Partial<Store> & { acceptedCommit: (tenant: string) => string | undefined }
}

function sightings() {
  const seen = new Map<string, Date>()
  return {
    async firstSeen(tenant, commits, at) {
      const sights = new Map<string, Date>()
      for (const commit of commits) {
        const key = `${tenant} ${commit}`
        const sight = seen.get(key) ?? at
        seen.set(key, sight)
        sights.set(commit, sight)
      }
      return sights
    },
    async pruneSightings(before) {
      const old = [...seen].filter(([, at]) => at < before)
      for (const [key] of old) seen.delete(key)
      return old.length
    },
  } satisfies Partial<Store>
}

function enforcement() {
  const drift = new Map<string, DriftReport>()
  let points: readonly EnforcementPoint[] = []
  return {
    async keepDrift(report) {
      drift.set(report.tenant, report)
    },
    latestDrift: async (tenant) => drift.get(tenant),
    async reportEnforcement(point) {
      points = [...points.filter((other) => keyOf(other) !== keyOf(point)), point]
    },
    enforcementPoints: async (tenant) =>
      points
        .filter((point) => point.tenant === tenant)
        .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
    async pruneEnforcementPoints(before, kinds) {
      const kept = points.filter(({ kind, reportedAt }) => {
        return reportedAt >= before || !kinds.includes(kind)
      })
      const gone = points.length - kept.length
      points = kept
      return gone
    },
  } satisfies Partial<Store>
}

function keyOf({ tenant, kind, name }: EnforcementPoint): string {
  return `${tenant} ${kind} ${name}`
}
