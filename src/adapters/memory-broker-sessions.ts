/** Handshakes of the Key Broker protocol, in memory. */
import type { PendingLeaf } from '../service/log-ports.ts'
import type {
  AttestedBrokerSession,
  BrokerSession,
  BrokerSessionStore,
} from '../service/release-ports.ts'
import { fault } from './memory-fault.ts'

interface MemoryBrokerSessions extends BrokerSessionStore {
  /** Attested, and not over at `at`. */
  readonly isAttested: (id: string, tenant: string, at: Date) => boolean
}

export function memoryBrokerSessions(
  queue: (leaves: readonly PendingLeaf[]) => void,
): MemoryBrokerSessions {
  const sessions = new Map<string, BrokerSession>()
  const spent = new Set<string>()
  const live = (at: Date) => (session: BrokerSession) =>
    hasAttested(session) && session.attested.expiresAt > at ? [session] : []
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
    isAttested(id, tenant, at) {
      const session = sessions.get(id)
      return session?.tenant === tenant && (session.attested?.expiresAt ?? at) > at
    },
    async attestedBrokerSessions(tenant, { at, limit, after = '' }) {
      return [...sessions.values()]
        .flatMap(live(at))
        .filter((each) => each.tenant === tenant && each.id > after)
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit)
    },
    async endBrokerSessions(ids, at, leafOf) {
      const ended = [...new Set(ids)].flatMap((id) => sessions.get(id) ?? []).flatMap(live(at))
      queue(ended.map(leafOf))
      for (const session of ended)
        sessions.set(session.id, { ...session, attested: { ...session.attested, expiresAt: at } })
      return ended
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

function hasAttested(session: BrokerSession): session is AttestedBrokerSession {
  return session.attested !== undefined
}
