/** Two replicas on one PostgreSQL, one of them killed in mid-request again and again while the other goes on. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgresEngine } from '#src/adapters/postgres-store.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { killings } from './killing.ts'
import { type Place, place, type Serving } from './service-process.ts'
import { expectStoredOnce } from './stored.ts'

/** Of the hundred that this and killed-pglite.test.ts make together. */
const KILLS = Number(process.env.VOUCHSAFE_KILLS ?? 60)

describeWithPostgres('two replicas on PostgreSQL', () => {
  let postgres: Postgres
  let at: Place
  beforeAll(async () => {
    postgres = await startPostgres()
    at = await place('killed-postgres', { DATABASE_URL: postgres.url })
  })
  afterAll(async () => {
    at.remove()
    await postgres.stop()
  })

  test(
    `one of them killed ${KILLS} times in mid-request, keep what they promised`,
    async () => {
      const { round, expectKept, clients, figures } = await killings()
      await (await at.start()).stop()
      let victim: Serving = await at.start()
      let other: Serving = await at.start({ VOUCHSAFE_DATA: `${at.folder}/other` })
      for (let n = 0; n < KILLS; n += 1) {
        const next = await round({ place: at, victim, others: [other] })
        ;[victim, other] = [other, next]
      }
      await expectKept(other.address)
      expect(await Promise.all([victim.stop(), other.stop()])).toEqual([0, 0])
      const stored = await expectStoredOnce(openPostgresEngine(postgres.url), clients.attempts)
      console.log(`PostgreSQL: ${JSON.stringify({ ...figures, stored })}`)
      expect(figures.kills).toBe(KILLS)
      expect(figures.tokens).toBeGreaterThan(KILLS)
      expect(figures.cut).toBeGreaterThan(KILLS / 2)
    },
    60_000 + KILLS * 30_000,
  )
})
