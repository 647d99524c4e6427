/**
 * Sessions of one agent on one boot that come into quarantine together, while two replicas do everything else to them: on a real
 * PostgreSQL. None may be left out, and nobody may wait in a circle.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { SessionRecord } from '#src/service/session-ports.ts'
import { describeWithPostgres } from '../postgres.ts'
import { put, release } from './release-records.ts'
import { LASTING, twoReplicas } from './release-replicas.ts'
import { attestationOf, heartbeat, later, quote, tokensOf } from './session-records.ts'
import { becauseOf, came, siblings, together } from './session-siblings.ts'
import { AT } from './store-records.ts'

const ROUNDS = 12
const SIBLINGS = 10

describeWithPostgres('sessions of one agent on one boot', () => {
  const { each, engine, deadlocks } = twoReplicas()
  const made = async (count: number) =>
    await siblings(
      each(0),
      Array.from({ length: count }, () => ({})),
    )
  const standings = async (all: readonly SessionRecord[]) =>
    await Promise.all(all.map(async ({ id }) => (await each(1).findSession(id))?.standing))

  test('all come into quarantine once, whichever two or ten of them fall at the same time', async () => {
    const resource = 'secret:siblings'
    await put(each(0), resource)
    for (let round = 0; round < ROUNDS; round++) {
      const all = await made(SIBLINGS)
      for (const session of all)
        await each(0).recordSessionTokens(tokensOf(session, [`r ${session.id}`], LASTING))
      const isOver = { now: false }
      const busy = all.flatMap((session, n) => [
        (async () => {
          while (!isOver.now) {
            const now = await each(n).findSession(session.id)
            if (now?.standing !== 'open') return
            const step = quote(now)
            if (n % 2) await each(n).advanceSession(heartbeat(now))
            else await each(n + 1).renewSession(attestationOf(step), step)
          }
        })(),
        (async () => {
          for (let turn = 0; !isOver.now; turn++)
            await each(turn).recordSessionTokens(
              tokensOf(session, [`${turn} ${session.id}`], LASTING),
            )
        })(),
        (async () => {
          while (!isOver.now) {
            const heard = { id: session.id, heardSince: AT }
            const asked = release({ resource, jti: `r ${session.id}` }, { session: heard })
            await each(n).recordRelease(asked)
          }
        })(),
      ])
      // Each by its own message, as if nobody knew of the others.
      const those = round % 2 ? all : all.slice(0, 2)
      const falling = those.map(async ({ id }, n) => {
        await sleep(n % 3)
        for (;;) {
          const now = await each(n).findSession(id)
          if (now?.standing !== 'open') return 'came along'
          if ((await each(n).changeSession(together(now))) === 'changed') return 'fell'
        }
      })
      const outcomes = await Promise.all(falling)
      isOver.now = true
      await Promise.all(busy)
      expect(outcomes.filter((outcome) => outcome === 'fell')).toHaveLength(1)
      expect(new Set(await standings(all))).toEqual(new Set(['quarantined']))
      for (const { id: session } of all) {
        const page = { at: later(1000), selection: { session }, limit: 1000 }
        expect(await each(round).liveTokens('acme', page)).toEqual([])
      }
    }
  })

  test('one that is changed at that very moment comes along as it is by then', async () => {
    const [one, first, three] = await made(3)
    if (!one || !first || !three) throw new Error('three were made')
    const beat = heartbeat(one)
    const { changing } = await engine().transaction(async (transaction) => {
      await transaction.rows({
        text: `update sessions set revision = revision + 1, heard_at = $2 where id = $1`,
        values: [one.id, beat.session.heardAt],
      })
      await transaction.rows({
        text: `update sessions set revision = revision + 1, standing = 'closed' where id = $1`,
        values: [three.id],
      })
      const asked = each(0).changeSession(together(first))
      await sleep(60)
      return { changing: asked }
    })
    expect(await changing).toBe('changed')
    expect(await each(1).findSession(one.id)).toEqual(
      came({ ...one, heardAt: beat.session.heardAt, revision: one.revision + 1 }, first),
    )
    expect(await each(1).findSession(three.id)).toEqual({
      ...three,
      ...{ standing: 'closed', revision: three.revision + 1 },
    })
    expect((await each(1).findToken(three.id))?.revocation).toBeUndefined()
  })

  test('are held by id, the first of them in its place, and no token before the last', async () => {
    const [one, first, three] = await made(3)
    if (!one || !first || !three) throw new Error('three were made')
    const freeOf = async (text: string, id: string) =>
      (await engine().rows({ text: `${text} for update skip locked`, values: [id] })).length
    const session = 'select from sessions where id = $1'
    const { changing } = await engine().transaction(async (transaction) => {
      await transaction.rows({ text: `${session} for update`, values: [three.id] })
      const asked = each(0).changeSession(together(first))
      await sleep(60)
      expect([await freeOf(session, one.id), await freeOf(session, first.id)]).toEqual([0, 0])
      expect(await freeOf('select from tokens where jti = $1', one.id)).toBe(1)
      return { changing: asked }
    })
    expect(await changing).toBe('changed')
    const [low, middle, high] = await made(3)
    if (!low || !middle || !high) throw new Error('three were made')
    const waiting = await engine().transaction(async (transaction) => {
      await transaction.rows({ text: `${session} for update`, values: [low.id] })
      const asked = each(0).changeSession(together(high))
      await sleep(60)
      expect([await freeOf(session, middle.id), await freeOf(session, high.id)]).toEqual([1, 1])
      return { asked }
    })
    expect(await waiting.asked).toBe('changed')
  })

  test.each([3_000, 4_096, 5_000])('%i more come along', async (count) => {
    const [first] = await made(1)
    if (!first) throw new Error('one was made')
    await engine().rows({
      text: `insert into sessions
        select to_char(n, 'FM000000') || left($1, 16), tenant, environment, agent, jkt, opened_at, 'open',
          changed_at, because, record, 1, heard_at, progress, last_digest, last_answer, boot
        from sessions, generate_series(1, $2::integer) as n where id = $1`,
      values: [first.id, count],
    })
    await engine().rows({
      text: `insert into tokens (jti, appraisal, tenant, environment, agent, form, issuer, audience,
          scopes, jkt, subject, issued_at, expires_at, list, index, session)
        select sessions.id, appraisal, tokens.tenant, tokens.environment, tokens.agent, form, issuer, audience,
          scopes, tokens.jkt, subject, issued_at, expires_at, list, index + 1, sessions.id
        from tokens, sessions where jti = $1 and sessions.id like '______' || left($1, 16)`,
      values: [first.id],
    })
    const told: SessionRecord[] = []
    const changed = (sessions: readonly SessionRecord[]) => told.push(...sessions)
    expect(await each(0).changeSession(together(first, { changed }))).toBe('changed')
    expect(new Set(told.map(({ id }) => id)).size).toBe(count + 1)
    const [row] = await engine().rows({
      text: `select count(*) filter (where standing = 'quarantined')::int as quarantined,
          (select count(*)::int from tokens
            where session like '______' || left($1, 16) and revoked_at is null) as live,
          (select count(*)::int from log_bodies
            where subject like '______' || left($1, 16) and kind = 'session') as leaves,
          (select count(*)::int from events
            where kind = 'session.changed' and fields::text like '%"session":"______' || left($1, 16) || '"%') as events
        from sessions where id like '______' || left($1, 16)`,
      values: [first.id],
    })
    expect(row).toEqual({ quarantined: count, live: 0, leaves: count, events: count })
    expect((await each(1).findSession(told.at(-1)?.id ?? ''))?.reason).toBe(becauseOf(first))
  })

  test('and nobody waited in a circle', async () => expect(await deadlocks()).toBe(0))
})
