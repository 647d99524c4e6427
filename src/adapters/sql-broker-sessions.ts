/** Handshakes of the Key Broker protocol, on SQL. */
import { and, eq, gt, isNull } from 'drizzle-orm'
import type { BrokerSession, BrokerSessionStore } from '../service/release-ports.ts'
import { brokerSessions } from './schema-releases.ts'
import { answered } from './sql-answered.ts'
import type { SqlEngine } from './sql-engine.ts'
import { deleteOld } from './sql-prune.ts'
import { storable } from './storable-text.ts'

export function sqlBrokerSessions(engine: SqlEngine): BrokerSessionStore {
  const { database } = engine
  const { id: key, expiresAt, spentAt, attestedAt } = brokerSessions
  return {
    openBrokerSession: ({ attested, ...session }) =>
      answered(async () => {
        await database
          .insert(brokerSessions)
          .values({ ...session, ...(attested && columnsOf(attested)) })
      }),

    findBrokerSession: (id) =>
      answered(async () => {
        if (!storable(id)) return undefined
        const [row] = await database.select().from(brokerSessions).where(eq(key, id))
        return row && sessionOf(row)
      }),

    spendBrokerNonce: (id, at) =>
      answered(async () => {
        if (!storable(id)) return false
        const spent = await database
          .update(brokerSessions)
          .set({ spentAt: at })
          .where(and(eq(key, id), isNull(spentAt), gt(expiresAt, at)))
          .returning({ id: key })
        return spent.length === 1
      }),

    attestBrokerSession: (id, attested) =>
      answered(async () => {
        const kept = await database
          .update(brokerSessions)
          .set(columnsOf(attested))
          .where(and(eq(key, id), isNull(attestedAt)))
          .returning({ id: key })
        if (kept.length !== 1)
          throw new Error('there is no session of that id that waits to be attested')
      }),

    // The first condition is what the index finds; few of what it finds fails the second.
    pruneBrokerSessions: (before) =>
      answered(async () => {
        const condition = 'expires_at < $1 and coalesce(attested_until, expires_at) < $1'
        return await deleteOld(engine, { table: 'broker_sessions', condition }, before)
      }),
  }
}

function columnsOf({ at, expiresAt, ...rest }: NonNullable<BrokerSession['attested']>) {
  return { ...rest, attestedAt: at, attestedUntil: expiresAt }
}

function sessionOf(row: typeof brokerSessions.$inferSelect): BrokerSession {
  const { id, tenant, tee, version, nonce, createdAt, expiresAt } = row
  return { id, tenant, tee, version, nonce, createdAt, expiresAt, attested: attestedIn(row) }
}

function attestedIn({
  attestedAt,
  attestedUntil,
  environment,
  agent,
  appraisal,
  teePublicKey,
  policyCommit,
}: typeof brokerSessions.$inferSelect): BrokerSession['attested'] {
  if (attestedAt === null || attestedUntil === null) return undefined
  // What attestBrokerSession wrote together.
  return {
    at: attestedAt,
    environment: environment ?? '',
    agent: agent ?? '',
    appraisal: appraisal ?? '',
    teePublicKey: teePublicKey ?? '',
    policyCommit: policyCommit ?? '',
    expiresAt: attestedUntil,
  }
}
