/** Whoever has access to the database can alter what others rest on: it is refused, and only to those who asked for it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { applyMigrations } from '#src/adapters/migrations.ts'
import { openPgliteEngine } from '#src/adapters/pglite-store.ts'
import { openPostgresEngine } from '#src/adapters/postgres-store.ts'
import type { SqlEngine } from '#src/adapters/sql-engine.ts'
import { makePartitions } from '#src/adapters/sql-partitions.ts'
import { sqlStore } from '#src/adapters/sql-store.ts'
import type { AppraisalRecord } from '#src/service/ports.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { AT, keep, record, uuid } from './store-records.ts'

const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-altered-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

describe('pglite', () => {
  alteredRows(async () => await openPgliteEngine(join(scratch, 'database')))
})

describeWithPostgres('postgres', () => {
  let server: Postgres
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())
  alteredRows(async () => await openPostgresEngine(server.url))
})

function alteredRows(open: () => Promise<SqlEngine>): void {
  let engine: SqlEngine
  beforeAll(async () => {
    engine = await open()
    await applyMigrations(engine)
    await makePartitions(engine)
  })
  afterAll(() => engine.close())

  /** Each with findings of its own, and so with a row of its own. */
  async function kept(first: number): Promise<readonly AppraisalRecord[]> {
    const all = Array.from({ length: 8 }, (_, n) =>
      record(uuid(first + n), { findings: [{ id: `a.b.n${first + n}`, outcome: 'pass' }] }),
    )
    for (const each of all) await keep(sqlStore(engine), each.id, each)
    return all
  }

  test.each([
    [100, 'no JSON', '[{"id":"a secret'],
    [200, 'no list', '{"id":"a secret"}'],
    [300, 'nothing', ''],
  ])(
    '%i: findings that are %s fail who asked for them, and no one else',
    async (first, _, text) => {
      const all = await kept(first)
      const [altered = record(uuid(0)), ...others] = all
      await engine.rows({
        text: `update contents set content = convert_to($1, 'UTF8')
        where kind = 'findings'
          and digest = (select findings_digest from appraisals where id = $2::uuid)`,
        values: [text, altered.id],
      })
      // It has not read any of them yet.
      const store = sqlStore(engine)
      const answers = await Promise.allSettled(all.map(({ id }) => store.findAppraisal(id)))
      const [refused, ...answered] = answers
      expect(answered).toEqual(others.map((value) => ({ status: 'fulfilled', value })))
      expect(refused).toMatchObject({ reason: { code: 'storage-unavailable' } })
      expect(String((refused as PromiseRejectedResult).reason.cause)).not.toContain('secret')
      // Who asks for all of them hears of the others, and of this one that it cannot be read: on a page of its own too.
      const page = { since: AT, limit: 1000 }
      const found = await store.appraisalsOf('acme', page)
      const place = { at: altered.at, id: altered.id }
      expect(found.unreadable).toContainEqual(place)
      expect(found.records).toEqual(expect.arrayContaining([...others]))
      expect(found.records.map(({ id }) => id)).not.toContain(altered.id)
      const [next] = found.records.filter(({ id }) => id > altered.id).toReversed()
      expect(await store.appraisalsOf('acme', { since: AT, limit: 1, before: next })) //
        .toEqual({ records: [], unreadable: [place], next: place })
      // Nor is it answered to whoever asks alone.
      await expect(store.findAppraisal(altered.id)).rejects.toMatchObject({
        code: 'storage-unavailable',
      })
    },
  )
}
