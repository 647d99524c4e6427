/** Do the committed migrations make exactly the tables that src/adapters/schema*.ts describe, of an old database too? */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { applyMigrations, migrations, pendingMigrations } from '#src/adapters/migrations.ts'
import { openPgliteEngine } from '#src/adapters/pglite-store.ts'
import { openPostgresEngine, openPostgresStore } from '#src/adapters/postgres-store.ts'
import * as evidence from '#src/adapters/schema.ts'
import * as log from '#src/adapters/schema-log.ts'
import * as releases from '#src/adapters/schema-releases.ts'
import * as sessions from '#src/adapters/schema-sessions.ts'
import * as tokens from '#src/adapters/schema-tokens.ts'
import type { SqlEngine } from '#src/adapters/sql-engine.ts'
import { progressColumns } from '#src/adapters/sql-session-rows.ts'
import { sqlStore } from '#src/adapters/sql-store.ts'
import { endorsements } from '#src/rats/endorsements.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { AT, record, uuid } from './store-records.ts'

const schema = { ...evidence, ...log, ...releases, ...tokens, ...sessions }
const names = migrations.map(({ name }) => name)
const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-migrations-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('after the last migration nothing is left to change', async () => {
  const folder = join(import.meta.dirname, '../../src/adapters/migrations/meta')
  const last = readdirSync(folder)
    .filter((name) => name.endsWith('_snapshot.json'))
    .toSorted()
    .at(-1)
  const before = JSON.parse(readFileSync(join(folder, last ?? ''), 'utf8'))
  const statements = await generateMigration(before, generateDrizzleJson(schema, before.id))
  expect(statements).toEqual([])
})

/** One test body for both engines, on a database with nothing in it. */
function migrated(engine: () => SqlEngine): void {
  test('an old database is brought up to date, with what it held', async () => {
    expect(await pendingMigrations(engine())).toEqual(names)
    expect(await applyMigrations(engine(), '0001_policy')).toEqual(['0000_first', '0001_policy'])
    for (const text of oldRows) await engine().rows({ text })
    expect(await pendingMigrations(engine())).toEqual(names.slice(2))
    expect(await applyMigrations(engine())).toEqual(names.slice(2))
    expect(await applyMigrations(engine())).toEqual([])
    const store = sqlStore(engine())
    const { evidence: _, ...expected } = record(uuid(1), {
      audiences: ['kms.example'],
      leafHash: '',
    })
    const findings = [{ id: 'a.b.d', outcome: 'fail', detail: 'nul \0' }]
    expect(await store.findAppraisal(uuid(1))).toEqual({
      ...expected,
      runtimeClaims: { nonce: 'n \0' },
      findings,
      evidence: { quote: new Uint8Array([0, 255]), auxblob: new Uint8Array([2]) },
    })
    expect(await store.findAppraisal(uuid(2))).toMatchObject({
      audiences: [],
      findings,
      manifestProvenance: undefined,
      referenceValue: undefined,
      evidence: { quote: new Uint8Array([1]) },
    })
    expect(await store.tokensOf(uuid(1))).toEqual([])
    expect(await store.findEndorsements('d')).toEqual(endorsements())
    expect(await store.keysFor('challenge')).toEqual([
      {
        purpose: 'challenge',
        kid: 'k',
        createdAt: AT,
        activeFrom: AT,
        revokedAt: undefined,
        sealed: new Uint8Array([9]),
      },
    ])
    expect(await store.allKeys()).toHaveLength(1)
  })

  test('the tables have the columns and keys that the schema says', async () => {
    const columns = await engine().rows({
      text: `select table_name || '.' || column_name || case is_nullable when 'NO' then '!' else '' end as name
        from information_schema.columns where table_schema = 'public'
          and table_name !~ '^appraisals_' order by 1`,
    })
    const tables = Object.values(schema)
      .filter((each) => each instanceof PgTable)
      .map(getTableConfig)
    const expected = tables.flatMap(({ name, columns: each, primaryKeys }) => {
      const keys = primaryKeys.flatMap((key) => key.columns.map((column) => column.name))
      return each.map(
        (column) =>
          `${name}.${column.name}${column.notNull || keys.includes(column.name) ? '!' : ''}`,
      )
    })
    expect(columns.map(({ name }) => name).toSorted()).toEqual(expected.toSorted())
    const indexes = await engine().rows({
      text: `select tablename, indexname from pg_indexes where schemaname = 'public' and tablename !~ '^appraisals_'`,
    })
    expect(indexes).toHaveLength(tables.reduce((sum, table) => sum + table.indexes.length + 1, 0))
  })

  test('a heartbeat writes no index, and has room in the page of its session', async () => {
    const indexed = await engine().rows({
      text: `select attname as name from pg_index join pg_attribute on attrelid = indexrelid
        where indrelid = 'sessions'::regclass`,
    })
    const names = indexed.map(({ name }) => name)
    expect(names).toContain('standing')
    for (const { name } of progressColumns) expect(names).not.toContain(name)
    expect(names).not.toContain('revision')
    const [table] = await engine().rows({
      text: `select reloptions::text as options from pg_class where oid = 'sessions'::regclass`,
    })
    expect(table?.options).toBe('{fillfactor=60,toast_tuple_target=8160}')
  })

  test('a database that a newer version changed is left alone', async () => {
    await engine().rows({
      text: `insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', 4102444800000)`,
    })
    const sentence = 'changed by a newer version: it has 1 migration(s) that this one does not know'
    await expect(pendingMigrations(engine())).rejects.toThrow(sentence)
    await expect(applyMigrations(engine())).rejects.toThrow(sentence)
    await expect(applyMigrations(engine())).rejects.toMatchObject({ code: 'configuration-invalid' })
  })
}

describe('on PGlite', () => {
  let engine: SqlEngine
  beforeAll(async () => {
    engine = await openPgliteEngine(scratch)
  })
  afterAll(() => engine.close())
  migrated(() => engine)
})

describeWithPostgres('on PostgreSQL', () => {
  let server: Postgres
  let engine: SqlEngine
  beforeAll(async () => {
    server = await startPostgres()
    engine = openPostgresEngine(server.url)
  })
  afterAll(async () => {
    await engine.close()
    await server.stop()
  })
  migrated(() => engine)

  test('a service that may not migrate says what is missing, and changes nothing', async () => {
    const url = await server.database()
    const attempt = openPostgresStore(url, { migrations: 'refuse' })
    await expect(attempt).rejects.toThrow(
      `the database lacks ${names.length} migration(s): ${names.join(', ')}. Make a backup, then run \`vouchsafe migrate\``,
    )
    const other = openPostgresEngine(url)
    expect(await pendingMigrations(other)).toEqual(names)
    await applyMigrations(other)
    await other.close()
    const store = await openPostgresStore(url, { migrations: 'refuse' })
    await store.close()
  })

  test('of many that migrate at once one does it, and the others find it done', async () => {
    const url = await server.database()
    const engines = Array.from({ length: 6 }, () => openPostgresEngine(url))
    const applied = await Promise.all(engines.map((each) => applyMigrations(each)))
    expect(applied.flat()).toEqual(names)
    await Promise.all(engines.map((each) => each.close()))
  })
})

const at = `'${AT.toISOString()}'`
const oldRows = [
  `insert into appraisals (id, request_id, at, tenant, environment, agent, audience, tee, verdict, status, trust_vector, findings,
     policy_commit, policy_digest, manifest, manifest_commit, manifest_principal, reference_value, reference_line, reference_matched,
     layers, runtime_claims, quote, auxblob, endorsements_digest, token_id, token_expires_at)
   values ('${uuid(1)}', 'r1', ${at}, 'acme', 'prod', 'invoice-bot', 'kms.example', 'sev-snp', 'issued', 'affirming', '{"hardware":2}',
     '[{"id":"a.b.d","outcome":"fail","detail":"nul \\u0000"}]', '${'c'.repeat(40)}', 'sha256:00', 'agents/prod/invoice-bot.yaml',
     '${'b'.repeat(40)}', 'alice@example.com', 'milan', 12, true,
     '[{"subject":"launch","digest":"a1","bound":"hardware","through":"measurement"}]', '{"nonce":"n \\u0000"}',
     '\\x00ff', '\\x02', 'd', 'jti', ${at})`,
  `insert into appraisals (id, request_id, at, tenant, environment, agent, tee, verdict, status, trust_vector, findings,
     policy_commit, policy_digest, manifest, runtime_claims, quote, endorsements_digest)
   values ('${uuid(2)}', 'r2', ${at}, 'acme', 'prod', 'invoice-bot', 'tdx', 'refused', 'none', '{}',
     '[{"id":"a.b.d","outcome":"fail","detail":"nul \\u0000"}]', '', '', '', '{}', '\\x01', 'none')`,
  `insert into endorsements values ('d', convert_to('{"certificates":[],"crls":[],"tcbInfos":[],"qeIdentities":[]}', 'UTF8'), ${at})`,
  `insert into keys values ('challenge', 'k', ${at}, '\\x09'), ('token:https://a.example', 't', ${at}, '\\x08')`,
]
