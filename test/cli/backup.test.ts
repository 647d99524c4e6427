/** `vouchsafe backup` and `restore` as an operator meets them: files, pipes, refusals, and what to do afterwards. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { openPostgresStore } from '#src/adapters/postgres-store.ts'
import { operationsCommands } from '#src/compose/operations.ts'
import type { SealedKey } from '#src/service/token-ports.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { output } from './command.ts'

const at = new Date('2026-06-01T00:00:00Z')
const key = (purpose: SealedKey['purpose'], kid: string): SealedKey => ({
  kid,
  purpose,
  createdAt: at,
  activeFrom: at,
  revokedAt: undefined,
  sealed: new Uint8Array(64).fill(3),
})
const signing = key('federation:https://a.example', 'signing')

interface Run {
  readonly env?: Readonly<Record<string, string>>
  readonly terminal?: boolean
  readonly input?: Uint8Array
}

async function run(
  name: 'backup' | 'restore',
  args: readonly string[],
  { env = {}, terminal = false, input = new Uint8Array() }: Run = {},
) {
  const { written, out, err } = output()
  const piped: Uint8Array[] = []
  const commands = operationsCommands({
    out,
    err,
    colour: false,
    terminal,
    sources: {
      env,
      readText: () => {
        throw new Error('ENOENT')
      },
    },
    async write(bytes) {
      piped.push(new Uint8Array(bytes))
    },
    async *input() {
      yield input
    },
  })
  const code = await commands[name].run(args)
  return { code, ...written, piped: Buffer.concat(piped) }
}

describeWithPostgres('vouchsafe backup and restore', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-backup-'))
  const file = join(scratch, 'a.backup')
  let postgres: Postgres
  let env: { readonly DATABASE_URL: string }

  beforeAll(async () => {
    postgres = await startPostgres()
    env = { DATABASE_URL: await postgres.database() }
    const store = await openPostgresStore(env.DATABASE_URL, { migrations: 'apply' })
    await store.keepFirstKey(signing)
    await store.keepFirstKey(key('challenge', 'c0de'))
    await store.close()
  }, 60_000)
  afterAll(async () => {
    await postgres.stop()
    rmSync(scratch, { recursive: true, force: true })
  })

  test('a backup is a file for its owner only, and is never overwritten', async () => {
    const made = await run('backup', [file, '--json'], { env })
    expect(made.code).toBe(0)
    expect(JSON.parse(made.out)).toEqual({
      file,
      madeAt: expect.stringMatching(/^20\d\d-/),
      migration: expect.stringMatching(/^\d{4}_/),
      tables: expect.any(Number),
      rows: expect.any(Number),
    })
    expect(JSON.parse(made.out).rows).toBeGreaterThanOrEqual(2)
    expect(made.err).toMatch(/^keys: 2 rows \(\d+ of \d+\)$/m)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const again = await run('backup', [file], { env })
    expect(again.code).toBe(1)
    expect(again.err).toContain('is there already')
  })

  test('at a terminal there is a bar, which goes away', async () => {
    const { err } = await run('backup', [join(scratch, 'b.backup')], { env, terminal: true })
    expect(err).toMatch(/\[#{24}\] 100 % \w+/)
    expect(err.endsWith('\r\u001b[K')).toBe(true)
  })

  test('restored into another engine it has no signing keys, of which one may be revoked, and says what to do', async () => {
    const data = join(scratch, 'data')
    const restored = await run('restore', [file, '--data', data])
    expect(restored).toMatchObject({ code: 0 })
    expect(restored.out).toContain('2 keys of tokens and challenges forgotten')
    expect(restored.out).toContain('Before you let anybody in:\n  1. Replicas that ran')
    expect(restored.out).toContain('VOUCHSAFE_DATA/policy')
    const store = await openPgliteStore(data)
    expect(await store.allKeys()).toEqual([])
    await store.close()
    const again = await run('restore', [file, '--data', data])
    expect(again.code).toBe(1)
    expect(again.err).toContain('a backup is restored into an empty database only')
  }, 60_000)

  test('through pipes', async () => {
    const made = await run('backup', ['-', '--json'], { env })
    expect(made).toMatchObject({ code: 0, out: '' })
    expect(JSON.parse(made.err.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ file: '-' })
    const empty = { DATABASE_URL: await postgres.database() }
    const restored = await run('restore', ['-', '--json'], { env: empty, input: made.piped })
    expect(restored.code).toBe(0)
    expect(JSON.parse(restored.out)).toMatchObject({
      forgottenKeys: 2,
      log: null,
      next: [
        expect.stringContaining('Replicas'),
        expect.stringContaining('policy'),
        expect.stringContaining('secrets'),
      ],
    })
  })

  test.each<[string, (text: string) => string, string]>([
    ['cut off', (text) => text.slice(0, -100), 'it was truncated'],
    ['altered', (text) => text.replace('signing', 'sIgning'), 'it was altered'],
    [
      'of another version',
      (text) => text.replace(/"migration":"[^"]+"/, '"migration":"9999_future"'),
      'made by another version',
    ],
    ['no backup', () => 'hello\n', 'its first line is not as a backup has it'],
  ])('a file that is %s leaves the database empty', async (_, change, says) => {
    const damaged = join(scratch, 'damaged')
    writeFileSync(damaged, change(readFileSync(file, 'utf8')))
    const empty = { DATABASE_URL: await postgres.database() }
    const refused = await run('restore', [damaged], { env: empty })
    expect(refused.code).toBe(1)
    expect(refused.err).toContain(says)
    expect(await run('restore', [file], { env: empty })).toMatchObject({ code: 0 })
  })

  test.each([
    ['backup', [], 'FILE is missing'],
    ['restore', [join('nowhere', 'x')], 'cannot be read'],
    ['backup', [join('nowhere', 'x')], 'cannot be made'],
  ] as const)('%s %j says what is wrong', async (name, args, says) => {
    const { code, err } = await run(name, args, {
      env: { DATABASE_URL: await postgres.database() },
    })
    expect(code).toBe(1)
    if (name === 'backup' && args.length > 0) expect(err).toMatch(/cannot be made|lacks/)
    else expect(err).toContain(says)
  })
})
