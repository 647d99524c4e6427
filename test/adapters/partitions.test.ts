/** Evidence is kept day by day: tables are made ahead, and dropped whole when their day is too old. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { applyMigrations } from '#src/adapters/migrations.ts'
import { openPgliteEngine } from '#src/adapters/pglite-store.ts'
import { openPostgresEngine } from '#src/adapters/postgres-store.ts'
import type { SqlEngine } from '#src/adapters/sql-engine.ts'
import { dropPartitions, makePartitions } from '#src/adapters/sql-partitions.ts'
import { sqlStore } from '#src/adapters/sql-store.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { attestation, DAY, record, uuid } from './store-records.ts'

function partitioned(engine: () => SqlEngine): void {
  const today = Math.floor(Date.now() / DAY) * DAY
  const nameOf = (day: number) =>
    `appraisals_${new Date(today + day * DAY).toISOString().slice(0, 10).replaceAll('-', '')}`
  const tables = async () => {
    const rows = await engine().rows({
      text: `select inhrelid::regclass::text as name from pg_inherits
        where inhparent = 'appraisals'::regclass order by 1`,
    })
    return rows.map(({ name }) => name)
  }
  const keep = async (n: number, at: number) => {
    const kept = record(uuid(n), { at: new Date(at) })
    await sqlStore(engine()).recordAttestation(attestation(kept))
    return kept
  }
  const placeOf = async (n: number) => {
    const [row] = await engine().rows({
      text: 'select tableoid::regclass::text as place from appraisals where id = $1',
      values: [uuid(n)],
    })
    return row?.place
  }

  test('a week of tables is made ahead, once, whoever makes them', async () => {
    await Promise.all([makePartitions(engine()), makePartitions(engine())])
    await makePartitions(engine())
    expect(await tables()).toEqual([
      ...Array.from({ length: 8 }, (_, day) => nameOf(day)),
      'appraisals_default',
    ])
  })

  test('an attestation lands in the table of its day, and what has none in the default one', async () => {
    const kept = await keep(1, today + 5)
    await keep(2, today + 2 * DAY - 1)
    await keep(3, today - 1)
    expect([await placeOf(1), await placeOf(2), await placeOf(3)]).toEqual([
      nameOf(0),
      nameOf(1),
      'appraisals_default',
    ])
    expect(await sqlStore(engine()).findAppraisal(uuid(1))).toEqual(kept)
  })

  test('a day that was needed before its table was made stays where it is', async () => {
    await engine().rows({ text: `drop table ${nameOf(3)}` })
    await keep(4, today + 3 * DAY)
    await engine().rows({ text: `drop table ${nameOf(4)}` })
    await makePartitions(engine())
    expect(await tables()).not.toContain(nameOf(3))
    expect(await tables()).toContain(nameOf(4))
    expect(await placeOf(4)).toBe('appraisals_default')
  })

  test('days go whole once they are over, and not before', async () => {
    const store = sqlStore(engine())
    const noon = new Date(today + 1.5 * DAY)
    expect(await dropPartitions(engine(), noon)).toBe(2)
    expect(await tables()).not.toContain(nameOf(0))
    expect(await tables()).toContain(nameOf(1))
    expect(await store.findAppraisal(uuid(1))).toBeUndefined()
    expect(await store.findAppraisal(uuid(3))).toBeUndefined()
    expect(await store.findAppraisal(uuid(2))).toBeDefined()
    expect(await dropPartitions(engine(), new Date(today + 5 * DAY))).toBe(2)
    expect(await store.findAppraisal(uuid(4))).toBeUndefined()
    // The days before today are not made again.
    expect(await store.pruneEvidence(new Date(today - 30 * DAY))).toBe(0)
    expect(await tables()).toContain(nameOf(0))
  })
}

describe('on PGlite', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-partitions-'))
  let engine: SqlEngine
  beforeAll(async () => {
    engine = await openPgliteEngine(scratch)
    await applyMigrations(engine)
  })
  afterAll(async () => {
    await engine.close()
    rmSync(scratch, { recursive: true, force: true })
  })
  partitioned(() => engine)
})

describeWithPostgres('on PostgreSQL', () => {
  let server: Postgres
  let engine: SqlEngine
  beforeAll(async () => {
    server = await startPostgres()
    engine = openPostgresEngine(server.url)
    await applyMigrations(engine)
  })
  afterAll(async () => {
    await engine.close()
    await server.stop()
  })
  partitioned(() => engine)

  test('attestations go on while tables are made and dropped', async () => {
    const store = sqlStore(engine)
    let isOver = false
    const writing = (async () => {
      let n = 9000
      while (!isOver) {
        n += 1
        await store.recordAttestation(attestation(record(uuid(n), { at: new Date() })))
      }
      return n - 9000
    })()
    for (let day = 4; day < 8; day += 1) {
      await dropPartitions(engine, new Date(Math.floor(Date.now() / DAY) * DAY))
      await makePartitions(engine)
    }
    isOver = true
    expect(await writing).toBeGreaterThan(0)
  })
})
