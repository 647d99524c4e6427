/** The whole service on PGlite, killed in mid-request again and again: nothing that a client was told is lost, and nothing is issued twice. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPgliteEngine } from '#src/adapters/pglite-store.ts'
import { killings } from './killing.ts'
import { type Place, place } from './service-process.ts'
import { expectStoredOnce } from './stored.ts'

/** Of the hundred that this and killed-postgres.test.ts make together. */
const KILLS = Number(process.env.VOUCHSAFE_KILLS ?? 40)

let at: Place
beforeAll(async () => {
  at = await place('killed-pglite')
})
afterAll(() => at.remove())

describe('vouchsafe serve on PGlite', () => {
  test(
    `killed ${KILLS} times in mid-request, keeps what it promised`,
    async () => {
      const { round, expectKept, clients, figures } = await killings()
      await (await at.start()).stop()
      let serving = await at.start()
      for (let n = 0; n < KILLS; n += 1) serving = await round({ place: at, victim: serving })
      await expectKept(serving.address)
      expect(await serving.stop()).toBe(0)
      const stored = await expectStoredOnce(
        await openPgliteEngine(join(at.folder, 'data')),
        clients.attempts,
      )
      console.log(`PGlite: ${JSON.stringify({ ...figures, stored })}`)
      expect(figures.kills).toBe(KILLS)
      expect(figures.tokens).toBeGreaterThan(KILLS)
      expect(figures.cut).toBeGreaterThan(KILLS / 2)
    },
    60_000 + KILLS * 30_000,
  )
})
