/** The store for unit tests: as atomic as a single thread makes it, and gone with the process. */
import type { AppraisalRecord, SealedKey, Store } from '../service/ports.ts'

export function memoryStore(): Store {
  const used = new Map<string, Date>()
  const appraisals = new Map<string, AppraisalRecord>()
  const keys: SealedKey[] = []
  return {
    async recordAttestation({ id, expiresAt }, appraisal) {
      if (used.has(id)) return 'challenge-used'
      used.set(id, expiresAt)
      appraisals.set(appraisal.id, appraisal)
      return 'recorded'
    },
    findAppraisal: async (id) => appraisals.get(id),
    async pruneChallenges(before) {
      const expired = [...used].filter(([, expiresAt]) => expiresAt < before)
      for (const [id] of expired) used.delete(id)
      return expired.length
    },
    async keepFirstKey(key) {
      const kept = keys.find(({ purpose }) => purpose === key.purpose)
      if (!kept) keys.push(key)
      return kept ?? key
    },
    keysFor: async (purpose) =>
      keys
        .filter((key) => key.purpose === purpose)
        .toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime()),
    ping: async () => {},
    close: async () => {},
  }
}
