/** Sessions and what they measured, in memory. */
import type { PendingLeaf } from '../service/log-ports.ts'
import type { RecordedAttestation } from '../service/ports.ts'
import type { HeardSession } from '../service/release-ports.ts'
import type {
  OthersChange,
  SessionDelta,
  SessionPage,
  SessionRecord,
  SessionStore,
  Standing,
} from '../service/session-ports.ts'
import type { TokenRecord } from '../service/token-ports.ts'
import { memoryBans } from './memory-bans.ts'
import type { Publish } from './memory-events.ts'
import { fault } from './memory-fault.ts'
import { memoryOutages } from './memory-outages.ts'
import type { SessionTokens } from './memory-tokens.ts'
import { memoryWebhooks } from './memory-webhooks.ts'
import { isTakenAlong, takenAlong, takenRevocation } from './session-others.ts'
import { progressOf } from './session-progress.ts'
import { sessionEvent } from './store-events.ts'

export interface Companions {
  readonly publish: Publish
  /** Throws, and queues none, where one of these leaves waits already. */
  readonly queue: (leaves: readonly PendingLeaf[]) => void
  readonly record: (attestation: RecordedAttestation) => 'recorded' | 'challenge-used'
  /** Throws where a token of that jti is kept already; the result keeps them. */
  readonly prepare: (tokens: readonly TokenRecord[]) => () => void
  readonly ofSessions: SessionTokens
}

export interface MemorySessions extends SessionStore {
  /** May a release rest on this token, as far as its session goes? */
  readonly isHeard: (jti: string, tenant: string, named: HeardSession | undefined) => boolean
}

export function memorySessions(companions: Companions): MemorySessions {
  const { publish, queue, record, prepare, ofSessions } = companions
  const sessions = new Map<string, SessionRecord>()
  const deltas = new Map<string, readonly SessionDelta[]>()
  const { forgetOutages, ...outages } = memoryOutages()

  const isCurrent = ({ id, revision }: SessionRecord) => sessions.get(id)?.revision === revision
  const keep = (session: SessionRecord, delta: SessionDelta | undefined) => {
    sessions.set(session.id, session)
    if (delta) deltas.set(session.id, [...(deltas.get(session.id) ?? []), delta])
  }
  const next = (session: SessionRecord) => ({ ...session, revision: session.revision + 1 })
  const taken = (first: SessionRecord, others: OthersChange) =>
    [...sessions.values()]
      .filter((session) => isTakenAlong(session, first, others))
      .map((session) => takenAlong(session, first, others))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const refuseSecond = ({ id }: SessionRecord, delta: SessionDelta | undefined) => {
    if (delta && deltas.get(id)?.some(({ seq }) => seq === delta.seq))
      throw fault(`the session has a delta ${delta.seq} already`)
  }

  return {
    ...memoryBans({ publish, queue }),
    ...outages,
    ...memoryWebhooks(),
    isHeard(jti, tenant, named) {
      const own = ofSessions.sessionOf(jti)
      if (own === undefined || named === undefined) return own === undefined && named === undefined
      const session = sessions.get(own.id)
      return (
        named.id === own.id &&
        session?.tenant === tenant &&
        session.jkt === own.jkt &&
        session.standing === 'open' &&
        session.heardAt >= named.heardSince
      )
    },
    async openSession(attestation, session, delta) {
      if (sessions.has(session.id)) return 'session-exists'
      const outcome = record(attestation)
      if (outcome === 'recorded') keep(session, delta)
      return outcome
    },
    async renewSession(attestation, { session, delta }) {
      if (!isCurrent(session)) return 'superseded'
      refuseSecond(session, delta)
      const before = sessions.get(session.id)?.standing
      const outcome = record(attestation)
      if (outcome !== 'recorded') return outcome
      keep(next(session), delta)
      if (session.standing !== before) publish(sessionEvent(session, session.by))
      return outcome
    },
    findSession: async (id) => sessions.get(id),
    async advanceSession({ session, delta }) {
      const kept = sessions.get(session.id)
      if (!kept || !isCurrent(session)) return 'superseded'
      refuseSecond(session, delta)
      keep(next({ ...kept, ...progressOf(session) }), delta)
      return 'advanced'
    },
    async recordSessionTokens({ session, tokens, leaf }) {
      if (sessions.get(session)?.standing !== 'open') return 'session-over'
      const keepTokens = prepare(tokens)
      queue([leaf])
      keepTokens()
      return 'recorded'
    },
    async changeSession({ session, delta, leaf, revocation, leafOf, by, others, changed }) {
      if (!isCurrent(session)) return 'superseded'
      refuseSecond(session, delta)
      const along = others ? taken(session, others) : []
      const fallen = revocation ? ofSessions.liveOf(session.id, revocation.at) : []
      const theirs = revocation
        ? along.flatMap(({ id }) => ofSessions.liveOf(id, revocation.at)).toSorted(byJti)
        : []
      queue([
        ...[leaf, ...(others ? along.map(others.sessionLeafOf) : [])],
        ...[...fallen, ...theirs].map(leafOf),
      ])
      // From here on nothing throws.
      keep(next(session), delta)
      for (const each of along) keep(each, undefined)
      if (revocation) ofSessions.revoke(fallen, revocation)
      if (revocation && others) ofSessions.revoke(theirs, takenRevocation(revocation, others))
      for (const each of [session, ...along]) publish(sessionEvent(each, by))
      changed?.([next(session), ...along])
      return 'changed'
    },
    sessionsOf: async (tenant, page) =>
      [...sessions.values()]
        .filter((session) => session.tenant === tenant && isOn(page, session))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, page.limit),
    deltasOf: async (session) => (deltas.get(session) ?? []).toSorted((a, b) => a.seq - b.seq),
    async quarantinedSession({ tenant, environment, agent, boot }) {
      return [...sessions.values()].find(
        (session) =>
          session.standing === 'quarantined' &&
          session.tenant === tenant &&
          session.environment === environment &&
          session.agent === agent &&
          session.boot === boot,
      )
    },
    async countSessions(tenant, since) {
      const own = [...sessions.values()].filter((session) => session.tenant === tenant)
      const at = (standing: Standing) => own.filter((session) => session.standing === standing)
      return {
        standings: {
          open: at('open').length,
          suspended: at('suspended').length,
          quarantined: at('quarantined').length,
          revoked: at('revoked').length,
          closed: at('closed').length,
        },
        heard: at('open').filter(({ heardAt }) => heardAt >= since).length,
      }
    },
    async pruneSessions(before) {
      forgetOutages(before)
      const gone = [...sessions.values()].filter(
        ({ standing, changedAt, heardAt }) =>
          heardAt < before ||
          ((standing === 'revoked' || standing === 'closed') && changedAt < before),
      )
      for (const { id } of gone) {
        sessions.delete(id)
        deltas.delete(id)
      }
      return gone.length
    },
  }
}

function isOn({ environment, agent, standing, after }: SessionPage, session: SessionRecord) {
  return (
    (environment === undefined || environment === session.environment) &&
    (agent === undefined || agent === session.agent) &&
    (standing === undefined || standing === session.standing) &&
    (after === undefined || session.id > after)
  )
}

function byJti(a: TokenRecord, b: TokenRecord): number {
  return a.jti < b.jti ? -1 : 1
}
