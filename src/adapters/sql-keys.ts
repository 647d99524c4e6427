/** Sealed keys, on SQL. Replicas that make or rotate a key at the same time take turns, and the second sees the first one's. */
import { and, desc, eq, inArray } from 'drizzle-orm'
import type { KeyPurpose, KeyStore, ResealedKey, SealedKey } from '../service/token-ports.ts'
import { keys } from './schema-tokens.ts'
import { answered } from './sql-answered.ts'
import { arraysOf, type Column, unnest } from './sql-columns.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'
import { publish } from './sql-events.ts'
import { queueLeaves } from './sql-leaves.ts'
import { locks, waitForLock } from './sql-locks.ts'
import { keyEvent } from './store-events.ts'

export function sqlKeys(engine: SqlEngine): KeyStore {
  const { database } = engine
  const keysFor = async (purpose: KeyPurpose) => {
    const rows = await database
      .select()
      .from(keys)
      .where(eq(keys.purpose, purpose))
      .orderBy(...newestFirst)
    return rows.map(keyOf)
  }
  return {
    keepFirstKey: (key) =>
      answered(async () => {
        await engine.transaction(async (session) => {
          await waitForLock(session, locks.keysOf(key.purpose))
          if ((await newestKid(session, key.purpose)) === undefined) await insert(session, key)
        })
        const [kept] = await keysFor(key.purpose)
        if (!kept) throw new Error('a key that was kept is gone')
        return kept
      }),

    addKey: (key, after, leaf) =>
      answered(() =>
        engine.transaction(async (session) => {
          await waitForLock(session, locks.keysOf(key.purpose))
          if ((await newestKid(session, key.purpose)) !== after) return 'superseded'
          await insert(session, key)
          await queueLeaves(session, [leaf])
          await publish(session, [keyEvent(key, key.createdAt)])
          return 'added'
        }),
      ),

    revokeKey: (purpose, kid, { at, leaf }) =>
      answered(() =>
        engine.transaction(async (session) => {
          const revoked = await session.rows({
            text: `update keys set revoked_at = $3
              where purpose = $1 and kid = $2 and revoked_at is null returning kid`,
            values: [purpose, kid, at],
          })
          if (revoked.length === 0) return false
          await queueLeaves(session, [leaf])
          await publish(session, [keyEvent({ purpose, kid }, at)])
          return true
        }),
      ),

    keysFor: (purpose) => answered(() => keysFor(purpose)),

    allKeys: () =>
      answered(async () => {
        const rows = await database
          .select()
          .from(keys)
          .orderBy(...newestFirst)
        return rows.map(keyOf)
      }),

    resealKeys: (changes) =>
      answered(() => engine.transaction((session) => reseal(session, changes))),

    forgetKeys: (purpose, kids) =>
      answered(async () => {
        if (kids.length === 0) return
        await database
          .delete(keys)
          .where(and(eq(keys.purpose, purpose), inArray(keys.kid, [...kids])))
      }),
  }
}

const resealColumns: readonly Column<ResealedKey>[] = [
  { name: 'purpose', type: 'text', of: ({ purpose }) => purpose },
  { name: 'kid', type: 'text', of: ({ kid }) => kid },
  { name: 'before', type: 'bytea', of: ({ from }) => from },
  { name: 'after', type: 'bytea', of: ({ to }) => to },
]
const resealed = unnest(resealColumns, { alias: 'change', first: 1 })

/** Locked before they are changed: then either all of them are as expected until the end, or none is touched. */
async function reseal(session: SqlSession, changes: readonly ResealedKey[]): Promise<boolean> {
  const values = arraysOf(resealColumns, changes)
  const found = await session.rows({
    text: `select keys.kid from keys join ${resealed} using (purpose, kid)
      where keys.sealed = change.before order by keys.purpose, keys.kid for update of keys`,
    values,
  })
  if (found.length !== changes.length) return false
  await session.rows({
    text: `update keys set sealed = change.after from ${resealed}
      where keys.purpose = change.purpose and keys.kid = change.kid`,
    values,
  })
  return true
}

const newestFirst = [desc(keys.activeFrom), desc(keys.kid)]

async function newestKid(session: SqlSession, purpose: KeyPurpose): Promise<string | undefined> {
  const [row] = await session.rows({
    text: 'select kid from keys where purpose = $1 order by active_from desc, kid desc limit 1',
    values: [purpose],
  })
  return row && String(row.kid)
}

async function insert(session: SqlSession, key: SealedKey): Promise<void> {
  await session.rows({
    text: `insert into keys (purpose, kid, created_at, active_from, revoked_at, sealed)
      values ($1, $2, $3, $4, $5, $6)`,
    values: [
      key.purpose,
      key.kid,
      key.createdAt,
      key.activeFrom,
      key.revokedAt ?? null,
      key.sealed,
    ],
  })
}

function keyOf({ revokedAt, ...key }: typeof keys.$inferSelect): SealedKey {
  return { ...key, revokedAt: revokedAt ?? undefined }
}
