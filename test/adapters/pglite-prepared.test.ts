/** A statement with a name is planned once, answers as any other does, and never becomes part of somebody else's transaction. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPgliteEngine } from '#src/adapters/pglite-store.ts'
import type { SqlEngine } from '#src/adapters/sql-engine.ts'

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-prepared-'))
let engine: SqlEngine
beforeAll(async () => {
  engine = await openPgliteEngine(folder)
  await engine.rows({ text: 'create table kept (id text primary key)' })
})
afterAll(async () => {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})

const typed = {
  text: `select $1::text as words, $2::int4 as number, $3::bytea as bytes, $4::timestamptz as instant,
    $5::boolean as truth, $6::text as nothing`,
  values: [
    'ä"\\',
    -7,
    Uint8Array.of(0, 255),
    new Date('2026-11-23T06:00:00.123Z'),
    false,
    undefined,
  ],
} as const
const answer = {
  words: 'ä"\\',
  number: -7,
  bytes: Uint8Array.of(0, 255),
  instant: new Date('2026-11-23T06:00:00.123Z'),
  truth: false,
  nothing: null,
}
const keep = (id: string) => ({
  name: 'keep',
  text: 'insert into kept (id) values ($1) returning id',
  values: [id],
})

test('it takes and gives every type that the stores use, the first time and later', async () => {
  for (let n = 0; n < 8; n++)
    expect(await engine.rows({ name: 'typed', ...typed })).toEqual([answer])
  expect(await engine.rows(typed)).toEqual([answer])
})

test('one that fails says why by its code, writes nothing, and runs the next time', async () => {
  expect(await engine.rows(keep('a'))).toEqual([{ id: 'a' }])
  await expect(engine.rows(keep('a'))).rejects.toMatchObject({ code: '23505' })
  expect(await engine.rows(keep('b'))).toEqual([{ id: 'b' }])
})

test('one that is no SQL fails each time, and is not taken for prepared', async () => {
  const wrong = { name: 'wrong', text: 'selekt 1', values: [] }
  await expect(engine.rows(wrong)).rejects.toMatchObject({ code: '42601' })
  await expect(engine.rows(wrong)).rejects.toMatchObject({ code: '42601' })
  expect(await engine.rows(keep('c'))).toEqual([{ id: 'c' }])
})

test('it waits for a transaction that is open, and is not rolled back with it', async () => {
  let asked: Promise<unknown> | undefined
  const rolledBack = engine.transaction(async (session) => {
    await session.rows({ text: "insert into kept (id) values ('theirs')" })
    asked = engine.rows(keep('ours'))
    await new Promise((resolve) => setTimeout(resolve, 50))
    throw new Error('no')
  })
  await expect(rolledBack).rejects.toThrow('no')
  await asked
  const rows = await engine.rows({ text: "select id from kept where id in ('theirs', 'ours')" })
  expect(rows).toEqual([{ id: 'ours' }])
})

test('after a table has changed it is planned again', async () => {
  const all = { name: 'all', text: 'select count(*)::int4 as n from kept', values: [] }
  const [before] = await engine.rows(all)
  await engine.rows({ text: 'alter table kept add column note text' })
  expect(await engine.rows(all)).toEqual([before])
  expect(await engine.rows(keep('d'))).toEqual([{ id: 'd' }])
})
