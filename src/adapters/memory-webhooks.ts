/** How far each webhook has been told, and who tells it, in memory. */
import type { SessionStore } from '../service/session-ports.ts'

export function memoryWebhooks(): Pick<SessionStore, 'claimWebhook' | 'advanceWebhook'> {
  const cursors = new Map<string, { sequence: number; holder: string; until: Date }>()
  return {
    async claimWebhook(name, { holder, at, until }) {
      const kept = cursors.get(name) ?? { sequence: 0, holder, until }
      if (kept.holder !== holder && kept.until > at) return undefined
      cursors.set(name, { ...kept, holder, until })
      return kept.sequence
    },
    async advanceWebhook(name, { holder, sequence }) {
      const kept = cursors.get(name)
      if (kept?.holder !== holder) return false
      cursors.set(name, { ...kept, sequence: Math.max(kept.sequence, sequence) })
      return true
    },
  }
}
