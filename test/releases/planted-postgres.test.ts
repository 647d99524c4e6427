/**
 * Nothing secret stands where it does not belong, on PostgreSQL: the run of planted-secrets.test.ts, and then every table of
 * every schema, the files of the server with its write-ahead log, and its own log, in which stands every statement that it was
 * sent, with its values. What is then planted in it in the clear is found in each of them.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { formsIn, marker } from './planted.ts'
import { connected, dumpedTables, pgDumped, serverFiles } from './planted-dump.ts'
import { expectRun } from './planted-expectations.ts'
import { type PlantedRun, plantedRun } from './planted-run.ts'

const SLOW = 240_000
/** Each parameter whole, which is the default, of each statement. */
const TELLING = { logging_collector: 'on', log_statement: 'all' }

describeWithPostgres('a service that was used, refused and failed, on PostgreSQL', () => {
  let postgres: Postgres
  let run: PlantedRun
  let kept: Awaited<ReturnType<typeof everything>>
  beforeAll(async () => {
    postgres = await startPostgres(TELLING)
    run = await plantedRun(postgres.url)
    kept = await everything()
  }, SLOW)
  afterAll(async () => {
    await run?.close()
    await postgres?.stop()
  })

  const everything = async () => ({
    tables: await dumpedTables(postgres.url),
    ...(await serverFiles(postgres.url)),
    dump: await pgDumped(postgres.url),
  })

  expectRun(() => run)

  test('left nothing secret in any table of any schema', () => {
    expect(formsIn(kept.tables, run.planted.text)).toEqual([])
    expect(formsIn(kept.dump ?? Buffer.alloc(0), run.planted.text)).toEqual([])
  })

  test('left nothing secret in the files of the server', () => {
    expect(formsIn(kept.files, run.planted.text)).toEqual([])
  })

  test('sent the server none: no statement has one, and no value of one', () => {
    expect(Buffer.from(kept.log).includes('insert into appraisals')).toBe(true)
    expect(formsIn(kept.log, run.planted.text)).toEqual([])
  })

  test('told the canary in all of them, which was put to be told', () => {
    expect(formsIn(kept.tables, run.canary)).toContain('raw')
    expect(formsIn(kept.dump ?? Buffer.from(run.canary), run.canary)).toContain('raw')
    expect(formsIn(kept.files, run.canary)).toContain('raw')
    expect(formsIn(kept.log, run.canary)).toContain('raw')
  })

  test(
    'would be seen to have leaked: what is planted in the clear is found in each, in whatever form',
    async () => {
      const control = marker()
      const secret = control.secret()
      await connected(postgres.url, async (client) => {
        await client.query(`create schema "Somebody's"`)
        await client.query(`create table "Somebody's"."Own" (a text, b bytea, c json, d bytea)`)
        await client.query(`insert into "Somebody's"."Own" values ($1, $2, $3, $4)`, [
          secret,
          Buffer.from(secret),
          JSON.stringify({ secret: Buffer.from(secret).toString('base64') }),
          Buffer.from(secret, 'utf16le'),
        ])
        // As a sentence of the service's own, in a row that it made.
        const { rowCount } = await client.query('update tokens set revocation_detail = $1', [
          Buffer.from(` ${secret}`).toString('base64url'),
        ])
        expect(rowCount).toBeGreaterThan(0)
      })
      const now = await everything()
      const forms = ['raw', 'hex', 'UTF-16', 'base64, 0 bytes in', 'base64url, 1 bytes in']
      for (const form of forms) expect(formsIn(now.tables, control.text)).toContain(form)
      expect(formsIn(now.files, control.text)).toEqual(
        expect.arrayContaining(['raw', 'base64, 0 bytes in', 'UTF-16']),
      )
      expect(formsIn(now.log, control.text)).toEqual(
        expect.arrayContaining(['raw', 'hex', 'base64, 0 bytes in', 'base64url, 1 bytes in']),
      )
      expect(formsIn(now.dump ?? Buffer.from(secret), control.text)).toContain('raw')
    },
    SLOW,
  )
})
