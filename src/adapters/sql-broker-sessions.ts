/** Handshakes of the Key Broker protocol, on SQL. */
import { and, asc, eq, gt, inArray, isNull } from 'drizzle-orm'
import type {
  AttestedBrokerSession,
  BrokerSession,
  BrokerSessionStore,
} from '../service/release-ports.ts'
import { brokerSessions } from './schema-releases.ts'
import { answered } from './sql-answered.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'
import { queueLeaves } from './sql-leaves.ts'
import { deleteOld } from './sql-prune.ts'
import { storable } from './storable-text.ts'

export function sqlBrokerSessions(engine: SqlEngine): BrokerSessionStore {
  const { database } = engine
  const { id: key, tenant, expiresAt, spentAt, attestedAt, attestedUntil } = brokerSessions
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

    attestedBrokerSessions: (of, { at, limit, after = '' }) =>
      answered(async () => {
        const rows = await database
          .select()
          .from(brokerSessions)
          .where(and(eq(tenant, of), gt(attestedUntil, at), gt(key, after)))
          .orderBy(asc(key))
          .limit(limit)
        return rows.flatMap((row) => attestedOnly(sessionOf(row)))
      }),

    endBrokerSessions: (ids, at, leafOf) =>
      answered(async () => {
        // What a leaf is made of never changes, so it may be read before.
        const named = await database
          .select()
          .from(brokerSessions)
          .where(inArray(key, [...ids]))
          .orderBy(asc(key))
        return await engine.transaction(async (session) => {
          const ended = await endLive(session, ids, at)
          const sessions = named
            .filter(({ id }) => ended.has(id))
            .flatMap((row) => attestedOnly(sessionOf(row)))
          await queueLeaves(session, sessions.map(leafOf))
          return sessions
        })
      }),

    // The first condition is what the index finds; few of what it finds fails the second.
    pruneBrokerSessions: (before) =>
      answered(async () => {
        const condition = 'expires_at < $1 and coalesce(attested_until, expires_at) < $1'
        return await deleteOld(engine, { table: 'broker_sessions', condition }, before)
      }),
  }
}

/** Whoever records a release by one of them holds its row until the commit (sql-release-grounds.ts). */
async function endLive(
  session: SqlSession,
  ids: readonly string[],
  at: Date,
): Promise<ReadonlySet<unknown>> {
  const names = { type: 'text', elements: ids } as const
  // Locked in one order by everybody, so that two that end the same sessions never wait in a circle.
  await session.rows({
    text: 'select id from broker_sessions where id = any ($1::text[]) order by id for no key update',
    values: [names],
  })
  const rows = await session.rows({
    text: `update broker_sessions set attested_until = $2
      where id = any ($1::text[]) and attested_until > $2 returning id`,
    values: [names, at],
  })
  return new Set(rows.map(({ id }) => id))
}

function attestedOnly(session: BrokerSession): readonly AttestedBrokerSession[] {
  const { attested } = session
  return attested ? [{ ...session, attested }] : []
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
