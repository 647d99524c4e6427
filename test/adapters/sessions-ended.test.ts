/**
 * Releases and tokens of a session on two replicas at once with whatever ends the session: on a real PostgreSQL, because what
 * one statement sees of another's changes is the whole question (sql-release-grounds.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { describeWithPostgres } from '../postgres.ts'
import { put, release } from './release-records.ts'
import { twoReplicas } from './release-replicas.ts'
import {
  agentSession,
  attestationOf,
  change,
  heartbeat,
  later,
  open,
  quote,
  tokensOf,
} from './session-records.ts'
import { AT, DAY, leaf } from './store-records.ts'

describeWithPostgres('a session, and what ends it at the same time', () => {
  const { each, engine } = twoReplicas()
  const LASTING = { expiresAt: later(DAY) }

  const numbersOf = async (subjects: readonly string[]) => {
    const rows = await engine().rows({
      text: 'select id, subject from log_bodies where subject = any ($1::text[])',
      values: [{ type: 'text', elements: subjects }],
    })
    return new Map(rows.map(({ subject, id }) => [String(subject), Number(id)]))
  }

  async function watched(name: string) {
    const session = agentSession(name)
    await open(each(0), session)
    await put(each(0), `secret:${name}`)
    await each(0).recordSessionTokens(tokensOf(session, [name], LASTING))
    const next = () =>
      release(
        { resource: `secret:${name}`, jti: name },
        { session: { id: session.id, heardSince: AT } },
      )
    return { session, next }
  }

  test.each([0, 1, 2, 3])(
    'of three hundred releases that race a quarantine none is recorded after it (%i)',
    async (round) => {
      const { session, next } = await watched(`race-${round}`)
      const racers = Array.from({ length: 300 }, next)
      const ended = leaf({ kind: 'session', subject: `ended ${session.id}` })
      const ending = sleep(5 * round).then(() =>
        each(round).changeSession(change(session, { leaf: ended })),
      )
      const outcomes: string[] = []
      const releasing = racers.map(async (racer, n) => {
        await sleep(n / 10)
        outcomes[n] = await each(n).recordRelease(racer)
      })
      expect(await ending).toBe('changed')
      // Whoever asks from here on is too late.
      const late = Array.from({ length: 20 }, next)
      const tooLate = await Promise.all(late.map((one, n) => each(n).recordRelease(one)))
      expect(new Set(tooLate)).toEqual(new Set(['token-revoked']))
      await Promise.all(releasing)
      const recorded = racers.filter((_, n) => outcomes[n] === 'recorded')
      const subjects = racers.map(({ release: { id } }) => id)
      const numbers = await numbersOf([...subjects, ended.subject])
      expect([...numbers.keys()].toSorted()).toEqual(
        [ended.subject, ...recorded.map(({ release: { id } }) => id)].toSorted(),
      )
      expect(Math.max(...numbers.values())).toBe(numbers.get(ended.subject))
    },
  )

  test.each([0, 1, 2])('of tokens that race it none lives on (%i)', async (round) => {
    const { session } = await watched(`issued-${round}`)
    const issuing = Array.from({ length: 200 }, async (_, n) => {
      await sleep(n / 10)
      return await each(n).recordSessionTokens(tokensOf(session, [`issued-${round}-${n}`], LASTING))
    })
    await sleep(4 * round)
    expect(await each(round).changeSession(change(session))).toBe('changed')
    await Promise.all(issuing)
    const page = { at: later(1000), selection: { session: session.id }, limit: 1000 }
    expect(await each(0).liveTokens('acme', page)).toEqual([])
  })

  const endings: readonly [string, string][] = [
    ['session-over', `update sessions set standing = 'quarantined' where id = $1`],
    ['session-over', `update sessions set heard_at = heard_at - interval '1 ms' where id = $1`],
    ['session-over', 'delete from sessions where id = $1'],
    ['recorded', `update sessions set heard_at = heard_at + interval '9 s' where id = $1`],
  ]
  test.each(endings)(
    'a release that waits for whoever changes the session sees the change: %s, %s',
    async (outcome, text) => {
      const { session, next } = await watched(`waits-${endings.findIndex((e) => e[1] === text)}`)
      const made = next()
      let isSettled = false
      const { releasing } = await engine().transaction(async (transaction) => {
        await transaction.rows({ text, values: [session.id] })
        const asked = each(0)
          .recordRelease(made)
          .finally(() => {
            isSettled = true
          })
        await sleep(60)
        expect(isSettled).toBe(false)
        return { releasing: asked }
      })
      expect(await releasing).toBe(outcome)
      expect((await each(0).findRelease(made.release.id)) !== undefined).toBe(
        outcome === 'recorded',
      )
    },
  )

  test('a release that waits for the session holds nothing that comes after it', async () => {
    const { session, next } = await watched('first')
    const free = async (text: string) => (await engine().rows({ text })).length
    const { releasing } = await engine().transaction(async (transaction) => {
      await transaction.rows({
        text: 'select from sessions where id = $1 for update',
        values: [session.id],
      })
      const asked = each(0).recordRelease(next())
      await sleep(60)
      expect(await free(`select from tokens where jti = 'first' for update skip locked`)).toBe(1)
      expect(
        await free(`select from resources where name = 'secret:first' for update skip locked`),
      ).toBe(1)
      return { releasing: asked }
    })
    expect(await releasing).toBe('recorded')
  })

  test('tokens that wait for whoever ends the session are not issued', async () => {
    const { session } = await watched('waiting')
    const { issuing } = await engine().transaction(async (transaction) => {
      await transaction.rows({
        text: `update sessions set standing = 'closed' where id = $1`,
        values: [session.id],
      })
      const asked = each(0).recordSessionTokens(tokensOf(session, ['waiting-2'], LASTING))
      await sleep(60)
      return { issuing: asked }
    })
    expect(await issuing).toBe('session-over')
    expect(await each(0).findToken('waiting-2')).toBeUndefined()
  })

  test('of a heartbeat, a quote and an end that wait for one another one comes first', async () => {
    const { session } = await watched('three')
    const step = quote(session)
    const { all } = await engine().transaction(async (transaction) => {
      await transaction.rows({
        text: 'select from sessions where id = $1 for update',
        values: [session.id],
      })
      const asked = [
        each(0).advanceSession(heartbeat(session)),
        each(1).advanceSession(heartbeat(session)),
        each(0).renewSession(attestationOf(step), step),
        each(1).changeSession(change(session)),
      ]
      await sleep(60)
      return { all: Promise.all<string>(asked) }
    })
    const outcomes = await all
    expect(outcomes.filter((outcome) => outcome !== 'superseded')).toHaveLength(1)
    expect((await each(0).findSession(session.id))?.revision).toBe(session.revision + 1)
  })
})
