/** Handshakes of the Key Broker protocol, in memory. */
import type { BrokerSession, BrokerSessionStore } from '../service/release-ports.ts'
import { fault } from './memory-fault.ts'

export function memoryBrokerSessions(): BrokerSessionStore {
  const sessions = new Map<string, BrokerSession>()
  const spent = new Set<string>()
  return {
    async openBrokerSession(session) {
      if (sessions.has(session.id)) throw fault('there is a session of that id already')
      sessions.set(session.id, session)
    },
    findBrokerSession: async (id) => sessions.get(id),
    async spendBrokerNonce(id, at) {
      const session = sessions.get(id)
      if (!session || session.expiresAt <= at || spent.has(id)) return false
      spent.add(id)
      return true
    },
    async attestBrokerSession(id, attested) {
      const session = sessions.get(id)
      if (!session || session.attested)
        throw fault('there is no session of that id that waits to be attested')
      sessions.set(id, { ...session, attested })
    },
    async pruneBrokerSessions(before) {
      const gone = [...sessions.values()].filter(
        ({ attested, expiresAt }) =>
          expiresAt < before && (attested?.expiresAt ?? expiresAt) < before,
      )
      for (const { id } of gone) {
        sessions.delete(id)
        spent.delete(id)
      }
      return gone.length
    },
  }
}
