/**
 * Nothing secret stands where it does not belong, on PGlite: a whole service is used, refuses and fails (planted-run.ts), and
 * everything that came out of it is searched for what was planted, its data directory byte for byte. A canary that was put where
 * it is told on purpose shows that the search finds. planted-postgres.test.ts has the same on PostgreSQL.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formsIn } from './planted.ts'
import { expectRun } from './planted-expectations.ts'
import { filesBelow } from './planted-files.ts'
import { type PlantedRun, plantedRun } from './planted-run.ts'

const SLOW = 240_000

let run: PlantedRun
beforeAll(async () => {
  run = await plantedRun()
}, SLOW)
afterAll(() => run?.close())

describe('a service that was used, refused and failed', () => {
  expectRun(() => run)

  test('left nothing secret in its data directory', () => {
    expect(formsIn(filesBelow(run.dataDirectory), run.planted.text)).toEqual([])
  })

  test('told the canary there, which was put to be told', () => {
    expect(formsIn(filesBelow(run.dataDirectory), run.canary)).not.toEqual([])
  })
})
