/**
 * Releases on two replicas at once with whatever ends them: on a real PostgreSQL, because what one statement sees of another's
 * changes is the whole question (sql-release-grounds.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { RecordedRelease } from '#src/service/release-ports.ts'
import { describeWithPostgres } from '../postgres.ts'
import { issue, put, release } from './release-records.ts'
import { LASTING, revocation, twoReplicas } from './release-replicas.ts'
import { AT, LATER, leaf } from './store-records.ts'

describeWithPostgres('releases, and what ends them at the same time', () => {
  const { each, engine } = twoReplicas()

  const numbersOf = async (subjects: readonly string[]) => {
    const rows = await engine().rows({
      text: 'select id, subject from log_bodies where subject = any ($1::text[])',
      values: [{ type: 'text', elements: subjects }],
    })
    return new Map(rows.map(({ subject, id }) => [String(subject), Number(id)]))
  }

  /** Whoever releases goes on until told that it is over. */
  async function flood(make: () => RecordedRelease, isOver: () => boolean, width = 40) {
    const recorded: string[] = []
    const refused: string[] = []
    await Promise.all(
      Array.from({ length: width }, async (_, n) => {
        while (!isOver()) {
          const made = make()
          const outcome = await each(n).recordRelease(made)
          if (outcome === 'recorded') recorded.push(made.release.id)
          else refused.push(outcome)
        }
      }),
    )
    return { recorded, refused }
  }

  test.each([0, 1, 2, 3])(
    'of three hundred that race a revocation none is recorded after it (%i)',
    async (round) => {
      const [name, jti] = [`secret:race-${round}`, `race-${round}`]
      await put(each(0), name)
      await issue(each(0), [jti], LASTING)
      const racers = Array.from({ length: 300 }, () => release({ resource: name, jti }))
      const revoked = leaf({ kind: 'revocation', subject: `revoked ${jti}` })
      const revoking = sleep(5 * round).then(() =>
        each(round).revokeTokens([jti], revocation, () => revoked),
      )
      const outcomes: string[] = []
      const releasing = racers.map(async (racer, n) => {
        await sleep(n / 10)
        outcomes[n] = await each(n).recordRelease(racer)
      })
      expect(await revoking).toHaveLength(1)
      // Whoever asks from here on is too late.
      const late = Array.from({ length: 20 }, () => release({ resource: name, jti }))
      const tooLate = await Promise.all(late.map((one, n) => each(n).recordRelease(one)))
      expect(new Set(tooLate)).toEqual(new Set(['token-revoked']))
      await Promise.all(releasing)
      for (const outcome of outcomes) expect(['recorded', 'token-revoked']).toContain(outcome)
      const recorded = racers.filter((_, n) => outcomes[n] === 'recorded')
      const subjects = racers.map(({ release: { id } }) => id)
      const numbers = await numbersOf([...subjects, revoked.subject])
      const last = numbers.get(revoked.subject) ?? Number.NaN
      expect([...numbers.keys()].toSorted()).toEqual(
        [revoked.subject, ...recorded.map(({ release: { id } }) => id)].toSorted(),
      )
      expect(Math.max(...numbers.values())).toBe(last)
      const kept = await Promise.all(subjects.map((id, n) => each(n).findRelease(id)))
      expect(kept.filter((one) => one !== undefined)).toHaveLength(recorded.length)
    },
  )

  const changes: readonly [
    refusal: string,
    sql: readonly string[],
    rest?: Partial<RecordedRelease>,
  ][] = [
    ['token-revoked', [`update tokens set revoked_at = now() where jti = 'held'`]],
    ['token-revoked', [`delete from tokens where jti = 'held'`]],
    ['proof-used', [`insert into used_proofs values ('dpop', 'proof', now())`]],
    [
      'resource-changed',
      [`update resources set revision = revision + 1 where name = 'secret:held'`],
    ],
    [
      'version-revoked',
      [
        `select from resources where name = 'secret:held' for no key update`,
        `update resource_versions set revoked_at = now() where name = 'secret:held'`,
      ],
    ],
    [
      'version-revoked',
      [`delete from resource_versions where name = 'secret:held' and version = 1`],
    ],
    [
      'too-many-releases',
      [
        `update resources set counted = 10,
          counted_minute = extract(epoch from timestamptz '${AT.toISOString()}') / 60 - 0.5
          where name = 'secret:held'`,
      ],
      { releasesPerMinute: 10 },
    ],
  ]
  test.each(changes)(
    'one that waits for whoever changes its ground sees the change (%s: %j)',
    async (refusal, statements, rest = {}) => {
      await engine().rows({ text: `delete from tokens where jti = 'held'` })
      await engine().rows({ text: `delete from used_proofs where id = 'proof'` })
      for (const table of ['resources', 'resource_versions'])
        await engine().rows({ text: `delete from ${table} where name = 'secret:held'` })
      await put(each(0), 'secret:held')
      await issue(each(0), ['held'], LASTING)
      const made = release(
        { resource: 'secret:held', jti: 'held' },
        { proof: { id: 'proof', expiresAt: LATER }, ...rest },
      )
      const stranger = release({ resource: 'secret:held', jti: 'held' }, rest)
      let isSettled = false
      const outcome = await engine().transaction(async (session) => {
        for (const text of statements) await session.rows({ text })
        // In one batch: whoever rests on the same ground hears of it too, and only he.
        const both = Promise.all([made, stranger].map((one) => each(0).recordRelease(one)))
        const releasing = both.finally(() => {
          isSettled = true
        })
        await sleep(60)
        expect(isSettled).toBe(false)
        return { releasing }
      })
      const [own, other] = await outcome.releasing
      expect(own).toBe(refusal)
      expect(other).toBe(refusal === 'proof-used' ? 'recorded' : refusal)
      expect(await each(0).findRelease(made.release.id)).toBeUndefined()
      expect(await each(0).leafPlace(made.leaf.leafHash)).toBeUndefined()
    },
  )

  test.each(changes.filter(([refusal]) => refusal !== 'proof-used'))(
    'one that waits sees too that nothing was changed in the end (%s: %j)',
    async (_, statements, rest = {}) => {
      const made = release({ resource: 'secret:undone', jti: 'undone' }, rest)
      if (!(await each(0).findResource('acme', 'secret:undone'))) {
        await put(each(0), 'secret:undone')
        await issue(each(0), ['undone'], LASTING)
      }
      let releasing: Promise<string> | undefined
      const undone = engine().transaction(async (session) => {
        for (const text of statements)
          await session.rows({ text: text.replaceAll('held', 'undone') })
        releasing = each(0).recordRelease(made)
        await sleep(30)
        throw new Error('undone')
      })
      await expect(undone).rejects.toThrow('undone')
      expect(await releasing).toBe('recorded')
    },
  )

  test('a revocation waits for a release that is on its way, and its leaf comes after it', async () => {
    await put(each(0), 'secret:first')
    await issue(each(0), ['first'], LASTING)
    const made = release({ resource: 'secret:first', jti: 'first' })
    const ended: string[] = []
    const revoked = leaf({ kind: 'revocation', subject: 'revoked first' })
    const both = await engine().transaction(async (session) => {
      // Somebody else brings the same proof, and fails in the end.
      await session.rows({
        text: `insert into used_proofs values ('dpop', $1, now())`,
        values: [made.proof?.id],
      })
      const releasing = each(0).recordRelease(made)
      await sleep(60)
      const revoking = each(1).revokeTokens(['first'], revocation, () => revoked)
      void releasing.then((outcome) => ended.push(outcome))
      void revoking.then(() => ended.push('revoked'))
      await sleep(60)
      expect(ended).toEqual([])
      await session.rows({
        text: `delete from used_proofs where id = $1`,
        values: [made.proof?.id],
      })
      return { settled: Promise.all([releasing, revoking]) }
    })
    await both.settled
    expect(ended).toEqual(['recorded', 'revoked'])
    const numbers = await numbersOf([made.release.id, revoked.subject])
    expect([...numbers].toSorted((a, b) => a[1] - b[1]).map(([subject]) => subject)).toEqual([
      made.release.id,
      revoked.subject,
    ])
  })

  test('one that waits for a token holds none of what comes after tokens', async () => {
    await put(each(0), 'secret:later')
    await issue(each(0), ['later-a', 'later-b', 'later-c'], LASTING)
    const free = async (text: string) => (await engine().rows({ text })).length
    const releasing = await engine().transaction(async (session) => {
      await session.rows({ text: `select from tokens where jti = 'later-b' for update` })
      const batch = ['later-c', 'later-b', 'later-a'].map((jti) =>
        each(0).recordRelease(release({ resource: 'secret:later', jti })),
      )
      await sleep(60)
      expect(
        await free(
          `select jti from tokens where jti in ('later-a', 'later-c') for update skip locked`,
        ),
      ).toBe(1)
      expect(
        await free(`select from resources where name = 'secret:later' for update skip locked`),
      ).toBe(1)
      expect(
        await free(
          `select from resource_versions where name = 'secret:later' for update skip locked`,
        ),
      ).toBe(1)
      return { all: Promise.all(batch) }
    })
    expect(await releasing.all).toEqual(['recorded', 'recorded', 'recorded'])
  })

  test('a revocation is not kept waiting by those who go on releasing', async () => {
    await put(each(0), 'secret:flood')
    const jtis = ['flood-a', 'flood-b']
    await issue(each(0), jtis, LASTING)
    let isOver = false
    const floods = jtis.map((jti) =>
      flood(
        () => release({ resource: 'secret:flood', jti }),
        () => isOver,
      ),
    )
    await sleep(300)
    const before = performance.now()
    await each(1).revokeTokens(['flood-a'], revocation, () => leaf())
    const tokenMs = performance.now() - before
    await each(0).revokeVersions('acme', 'secret:flood', { versions: 'all', at: AT }, leaf())
    const bothMs = performance.now() - before
    isOver = true
    const [a, b] = await Promise.all(floods)
    expect(a?.recorded.length).toBeGreaterThan(0)
    expect(b?.recorded.length).toBeGreaterThan(0)
    expect(new Set(a?.refused)).toEqual(new Set(['token-revoked']))
    expect(tokenMs).toBeLessThan(2000)
    expect(bothMs).toBeLessThan(4000)
  })
})
