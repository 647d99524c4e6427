/** Tokens, their revocation, their places in status lists, and proofs that were used, on SQL. */
import { and, asc, eq, gt, inArray, isNotNull, isNull, sql } from 'drizzle-orm'
import type {
  KnownToken,
  Revocation,
  TokenRecord,
  TokenSelection,
  TokenStore,
} from '../service/token-ports.ts'
import { appraisals } from './schema.ts'
import { statusLists, tokens } from './schema-tokens.ts'
import { answered } from './sql-answered.ts'
import { tokenIdsIn } from './sql-appraisal-document.ts'
import type { Database, SqlEngine, SqlSession } from './sql-engine.ts'
import { publish } from './sql-events.ts'
import { gather } from './sql-gather.ts'
import { queueLeaves } from './sql-leaves.ts'
import { deleteOld } from './sql-prune.ts'
import { takeStatusBlock } from './sql-status-blocks.ts'
import { madeStorable } from './storable-text.ts'
import { revocationEvent } from './store-events.ts'
import { isUuid } from './uuid-text.ts'

export function sqlTokens(engine: SqlEngine): TokenStore {
  const { database } = engine
  return {
    findToken: tokenFinder(engine),

    tokensOf: (appraisal) =>
      answered(async () => {
        const rows = await database
          .select()
          .from(tokens)
          .where(inArray(tokens.jti, await tokenIdsOf(database, appraisal)))
          .orderBy(asc(tokens.jti))
        return rows.map(knownOf)
      }),

    liveTokens: (tenant, { at, selection, limit, after }) =>
      answered(async () => {
        const rows = await database
          .select()
          .from(tokens)
          .where(
            and(
              eq(tokens.tenant, tenant),
              gt(tokens.expiresAt, at),
              isNull(tokens.revokedAt),
              after === undefined ? undefined : gt(tokens.jti, after),
              ...(await conditionsOf(database, selection)),
            ),
          )
          .orderBy(asc(tokens.jti))
          .limit(limit)
        return rows.map((row) => recordOf(knownOf(row)))
      }),

    revokeTokens: (jtis, revocation, leafOf) =>
      answered(async () => {
        // What a leaf is made of never changes, so it may be read before.
        const named = await database
          .select()
          .from(tokens)
          .where(inArray(tokens.jti, [...jtis]))
          .orderBy(asc(tokens.jti))
        return await engine.transaction(async (session) => {
          const ids = await revokeLive(session, jtis, revocation)
          const fallen = named
            .filter(({ jti }) => ids.has(jti))
            .map(knownOf)
            .map(recordOf)
          await queueLeaves(session, fallen.map(leafOf))
          await publish(
            session,
            fallen.map((token) => revocationEvent(token, revocation)),
          )
          return fallen
        })
      }),

    takeStatusBlock: (issuer, request) => answered(() => takeStatusBlock(engine, issuer, request)),

    statusList: (list, at) =>
      answered(async () => {
        const [found] = await database
          .select({ issuer: statusLists.issuer })
          .from(statusLists)
          .where(eq(statusLists.list, list))
        if (!found) return undefined
        const rows = await database
          .select({ index: tokens.index })
          .from(tokens)
          .where(and(eq(tokens.list, list), isNotNull(tokens.revokedAt), gt(tokens.expiresAt, at)))
          .orderBy(asc(tokens.index))
        return { issuer: found.issuer, revoked: rows.map(({ index }) => index) }
      }),

    useOnce: (kind, id, expiresAt) =>
      answered(async () => {
        const rows = await engine.rows({
          name: 'use-once',
          text: `insert into used_proofs (kind, id, expires_at) values ($1, $2, $3)
            on conflict (kind, id) do nothing returning id`,
          values: [kind, id, expiresAt],
        })
        return rows.length === 1
      }),

    pruneTokens: (before) =>
      answered(async () => {
        const condition = 'expires_at < $1'
        await deleteOld(engine, { table: 'used_proofs', condition }, before)
        return await deleteOld(engine, { table: 'tokens', condition }, before)
      }),
  }
}

const MOST_AT_ONCE = 256
const MOST_WAITING = 10_000

/** Each release and each introspection begins with this question: those that come together share one statement. */
function tokenFinder(engine: SqlEngine): TokenStore['findToken'] {
  const named = engine.database
    .select()
    .from(tokens)
    .where(sql`${tokens.jti} = any(${sql.placeholder('jtis')}::text[])`)
    .prepare('find-tokens')
  return gather(engine, {
    most: MOST_AT_ONCE,
    mostWaiting: MOST_WAITING,
    read: async (jtis) =>
      new Map((await named.execute({ jtis })).map((row) => [row.jti, knownOf(row)])),
  })
}

/** The record of an appraisal names its tokens, which saves every attestation an index. */
async function tokenIdsOf(database: Database, appraisal: string): Promise<string[]> {
  if (!isUuid(appraisal)) return []
  const [row] = await database
    .select({ record: appraisals.record })
    .from(appraisals)
    .where(eq(appraisals.id, appraisal))
    .limit(1)
  return row ? [...tokenIdsIn(row.record)] : []
}

async function conditionsOf(
  database: Database,
  { jti, appraisal, jkt, environment, agent, session }: TokenSelection,
) {
  return [
    jti === undefined ? undefined : eq(tokens.jti, jti),
    appraisal === undefined
      ? undefined
      : inArray(tokens.jti, await tokenIdsOf(database, appraisal)),
    jkt === undefined ? undefined : eq(tokens.jkt, jkt),
    environment === undefined ? undefined : eq(tokens.environment, environment),
    agent === undefined ? undefined : eq(tokens.agent, agent),
    session === undefined ? undefined : eq(tokens.session, session),
  ]
}

/** Resolves to the jtis of those that it revoked. */
export async function revokeLive(
  session: SqlSession,
  jtis: readonly string[],
  { at, reason, detail, by }: Revocation,
): Promise<ReadonlySet<unknown>> {
  const ids = { type: 'text', elements: jtis } as const
  // Locked in one order by everybody, so that two that revoke the same tokens never wait in a circle.
  await session.rows({
    text: 'select jti from tokens where jti = any ($1::text[]) order by jti for update',
    values: [ids],
  })
  const rows = await session.rows({
    text: `update tokens
      set revoked_at = $2, revocation_reason = $3, revocation_detail = $4, revoked_by = $5
      where jti = any ($1::text[]) and expires_at > $2 and revoked_at is null
      returning jti`,
    values: [ids, at, reason, madeStorable(detail), madeStorable(by)],
  })
  return new Set(rows.map(({ jti }) => jti))
}

export function knownOf(row: typeof tokens.$inferSelect): KnownToken {
  const { list, index, revokedAt, revocationReason, revocationDetail, revokedBy, ...token } = row
  return {
    ...token,
    session: token.session ?? undefined,
    status: { list, index },
    revocation:
      revokedAt && revocationReason
        ? {
            at: revokedAt,
            reason: revocationReason,
            detail: revocationDetail ?? '',
            by: revokedBy ?? '',
          }
        : undefined,
  }
}

export function recordOf({ revocation: _, ...token }: KnownToken): TokenRecord {
  return token
}
