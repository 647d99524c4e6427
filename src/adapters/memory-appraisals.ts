/** Attestations with the evidence and the endorsements that they rest on, in memory. */
import { type Endorsements, endorsements } from '../rats/endorsements.ts'
import type { PendingLeaf } from '../service/log-ports.ts'
import type { AppraisalRecord, RecordedAttestation, Store } from '../service/ports.ts'
import type { TokenRecord } from '../service/token-ports.ts'
import { NOTHING_FOUND, nextOf } from './appraisal-pages.ts'
import { fault } from './memory-fault.ts'
import { isUuid } from './uuid-text.ts'

type AppraisalStore = Pick<
  Store,
  | 'recordAttestation'
  | 'findAppraisal'
  | 'findEndorsements'
  | 'appraisalsOf'
  | 'pruneEvidence'
  | 'pruneChallenges'
>

export interface Companions {
  /** Throws where a token of that jti is kept already; the result keeps them. */
  readonly prepareTokens: (tokens: readonly TokenRecord[]) => () => void
  /** Throws, and queues none, where one of these leaves waits already. */
  readonly queue: (leaves: readonly PendingLeaf[]) => void
}

interface MemoryAppraisals extends AppraisalStore {
  /** `recordAttestation`, at once. */
  readonly record: (
    attestation: RecordedAttestation,
  ) => Awaited<ReturnType<AppraisalStore['recordAttestation']>>
}

export function memoryAppraisals({ prepareTokens, queue }: Companions): MemoryAppraisals {
  const used = new Map<string, Date>()
  const appraisals = new Map<string, AppraisalRecord>()
  const sets = new Map<string, Endorsements>()
  const record: MemoryAppraisals['record'] = (attestation) => {
    const { challenge, appraisal, endorsements: held, tokens, leaf } = attestation
    if (used.has(challenge.id)) return 'challenge-used'
    if (appraisals.has(appraisal.id)) throw fault(`there is an appraisal ${appraisal.id} already`)
    const keepTokens = prepareTokens(tokens)
    queue([leaf])
    // From here on nothing throws.
    keepTokens()
    used.set(challenge.id, challenge.expiresAt)
    appraisals.set(appraisal.id, appraisal)
    if (held && !sets.has(held.digest)) sets.set(held.digest, endorsements(held.parts))
    return 'recorded'
  }
  return {
    record,
    recordAttestation: async (attestation) => record(attestation),
    findAppraisal: async (id) => appraisals.get(id),
    findEndorsements: async (digest) => sets.get(digest),
    async appraisalsOf(tenant, { since, limit, before }) {
      if (before && !isUuid(before.id)) return NOTHING_FOUND
      const records = [...appraisals.values()]
        .filter((record) => record.tenant === tenant && record.at >= since)
        .toSorted(newestFirst)
        .filter((record) => !before || newestFirst(before, record) < 0)
        .slice(0, limit)
      return { records, unreadable: [], next: nextOf(records, limit) }
    },
    async pruneEvidence(before) {
      const gone = [...appraisals.values()].filter(({ at }) => at < before)
      for (const { id } of gone) appraisals.delete(id)
      const needed = new Set([...appraisals.values()].map((kept) => kept.endorsementsDigest))
      for (const digest of sets.keys()) if (!needed.has(digest)) sets.delete(digest)
      return gone.length
    },
    async pruneChallenges(before) {
      const expired = [...used].filter(([, expiresAt]) => expiresAt < before)
      for (const [id] of expired) used.delete(id)
      return expired.length
    },
  }
}

function newestFirst(
  a: Pick<AppraisalRecord, 'at' | 'id'>,
  b: Pick<AppraisalRecord, 'at' | 'id'>,
): number {
  return b.at.getTime() - a.at.getTime() || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)
}
