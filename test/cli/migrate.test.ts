/** `vouchsafe migrate` on a real PostgreSQL: what is pending, what is applied, and that nobody goes back. */
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyMigrations, migrations } from '#src/adapters/migrations.ts'
import { openPostgresEngine, openPostgresStore } from '#src/adapters/postgres-store.ts'
import { migrateCommand } from '#src/cli/migrate.ts'
import { migrate, pending, withEngine } from '#src/compose/maintenance.ts'
import { readDatabase } from '#src/config.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { output } from './command.ts'

async function run(args: readonly string[], env: Readonly<Record<string, string>>) {
  const { written, out, err } = output()
  const readText = () => {
    throw new Error('ENOENT')
  }
  const code = await migrateCommand(args, {
    out,
    err,
    readDatabase: (flags) => readDatabase({ env, flags, readText }),
    pending,
    migrate,
  })
  return { code, ...written }
}

const names = migrations.map(({ name }) => name)

describeWithPostgres('vouchsafe migrate', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres()
  }, 60_000)
  afterAll(() => postgres.stop())

  test('says what an empty database lacks, applies it, and then finds nothing', async () => {
    const env = { DATABASE_URL: await postgres.database() }
    expect(await run(['--dry-run', '--json'], env)).toEqual({
      code: 2,
      out: `${JSON.stringify({ pending: names })}\n`,
      err: '',
    })
    const applied = await run([], env)
    expect(applied).toMatchObject({ code: 0, err: '' })
    expect(applied.out).toBe(
      `Applied ${names.length} migrations:\n${names.map((name) => `  ${name}\n`).join('')}`,
    )
    expect(await run(['--json'], env)).toMatchObject({ code: 0, out: '{"applied":[]}\n' })
    expect(await run(['--dry-run'], env)).toMatchObject({
      code: 0,
      out: 'Up to date: nothing is pending.\n',
    })
  })

  test('brings one up that is some versions behind, which serve refuses until then', async () => {
    const url = await postgres.database()
    const engine = openPostgresEngine(url)
    await applyMigrations(engine, names[0])
    await engine.close()
    await expect(openPostgresStore(url, { migrations: 'refuse' })).rejects.toThrow(
      `the database lacks ${names.length - 1} migration(s): ${names.slice(1).join(', ')}. Make a backup, then run \`vouchsafe migrate\``,
    )
    expect(await run(['--json'], { DATABASE_URL: url })).toMatchObject({
      code: 0,
      out: `${JSON.stringify({ applied: names.slice(1) })}\n`,
    })
    const store = await openPostgresStore(url, { migrations: 'refuse' })
    await store.ping()
    await store.close()
  })

  test('refuses one that a newer version has changed, with or without --dry-run', async () => {
    const place = { dataDirectory: 'unused', databaseUrl: await postgres.database() }
    await migrate(place)
    const future = new Date('2030-01-01T00:00:00Z')
    await withEngine(place, (engine) =>
      engine.rows({
        text: `insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', $1)`,
        values: [future.getTime()],
      }),
    )
    for (const args of [[], ['--dry-run']]) {
      const { code, err } = await run(args, { DATABASE_URL: place.databaseUrl })
      expect(code).toBe(1)
      expect(err).toContain('the database was changed by a newer version')
      expect(err).toContain('2030-01-01')
      expect(err).toContain('restore a backup from before it into an empty database')
    }
  })
})

test('a database that does not answer is told without its password', async () => {
  const { code, err } = await run([], { DATABASE_URL: 'postgres://u:hunter2@127.0.0.1:1/none' })
  expect(code).toBe(1)
  expect(err).toContain('ECONNREFUSED')
  expect(err).not.toContain('hunter2')
})

test('PGlite in a data directory is migrated too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vouchsafe-migrate-'))
  try {
    const at = ['--data', join(folder, 'data')]
    expect(await run([...at, '--dry-run', '--json'], {})).toMatchObject({ code: 2 })
    expect(await run([...at, '--json'], {})).toMatchObject({
      code: 0,
      out: `${JSON.stringify({ applied: names })}\n`,
    })
    expect(await run([...at, '--dry-run'], {})).toMatchObject({ code: 0 })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)
