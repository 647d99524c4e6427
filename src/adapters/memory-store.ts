/** The store for unit tests: as atomic as a single thread makes it, and gone with the process. */
import { linkAfter } from '../service/acceptance-chain.ts'
import type {
  AcceptanceLink,
  AppraisalRecord,
  DriftReport,
  EnforcementPoint,
  KeptEndorsements,
  PolicyRecord,
  SealedKey,
  Store,
} from '../service/ports.ts'

export function memoryStore(): Store {
  return {
    ...memoryAppraisals(),
    ...memoryPolicies(),
    ...memoryKeys(),
    ping: async () => {},
    close: async () => {},
  }
}

function memoryAppraisals() {
  const used = new Map<string, Date>()
  const appraisals = new Map<string, AppraisalRecord>()
  const endorsements = new Map<string, KeptEndorsements['parts']>()
  return {
    async recordAttestation({ id, expiresAt }, appraisal, held) {
      if (used.has(id)) return 'challenge-used'
      used.set(id, expiresAt)
      appraisals.set(appraisal.id, appraisal)
      if (held) endorsements.set(held.digest, held.parts)
      return 'recorded'
    },
    findAppraisal: async (id) => appraisals.get(id),
    findEndorsements: async (digest) => endorsements.get(digest),
    appraisalsOf: async (tenant, { since, limit, before }) =>
      [...appraisals.values()]
        .filter((record) => record.tenant === tenant && record.at >= since)
        .toSorted(byAge)
        .filter((record) => !before || byAge(before, record) < 0)
        .slice(0, limit),
    async pruneEvidence(before) {
      const gone = [...appraisals.values()].filter(({ at }) => at < before)
      for (const { id } of gone) appraisals.delete(id)
      const needed = new Set([...appraisals.values()].map((kept) => kept.endorsementsDigest))
      for (const digest of endorsements.keys()) if (!needed.has(digest)) endorsements.delete(digest)
      return gone.length
    },
    async pruneChallenges(before) {
      const expired = [...used].filter(([, expiresAt]) => expiresAt < before)
      for (const [id] of expired) used.delete(id)
      return expired.length
    },
  } satisfies Partial<Store>
}

/** The newest first. */
function byAge(
  a: Pick<AppraisalRecord, 'at' | 'id'>,
  b: Pick<AppraisalRecord, 'at' | 'id'>,
): number {
  return b.at.getTime() - a.at.getTime() || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)
}

function memoryPolicies() {
  const policies = new Map<string, PolicyRecord>()
  const acceptances: AcceptanceLink[] = []
  const seen = new Map<string, Date>()
  const drift = new Map<string, DriftReport>()
  let points: readonly EnforcementPoint[] = []
  const acceptancesOf = (tenant: string) => acceptances.filter((link) => link.tenant === tenant)
  return {
    policyOf: async (tenant) => policies.get(tenant),
    async policyHeadOf(tenant) {
      const record = policies.get(tenant)
      return record && { sequence: record.sequence, commit: record.commit }
    },
    async acceptPolicy(previous, next) {
      const current = policies.get(next.tenant)
      if (current?.commit !== previous || (current?.sequence ?? 0) !== next.sequence - 1)
        return 'superseded'
      policies.set(next.tenant, next)
      acceptances.push(linkAfter(acceptancesOf(next.tenant).at(-1), next))
      return 'accepted'
    },
    acceptancesOf: async (tenant) => acceptancesOf(tenant),
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

function memoryKeys() {
  const keys: SealedKey[] = []
  return {
    async keepFirstKey(key) {
      const kept = keys.find(({ purpose }) => purpose === key.purpose)
      if (!kept) keys.push(key)
      return kept ?? key
    },
    keysFor: async (purpose) =>
      keys
        .filter((key) => key.purpose === purpose)
        .toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime()),
  } satisfies Partial<Store>
}
