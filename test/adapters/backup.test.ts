/** A backup holds every row, goes into either engine, and is refused when anything of it is missing or changed. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { backupToFile, restoreFromFile } from '#src/adapters/backup-file.ts'
import { restoreBackup } from '#src/adapters/backup-restore.ts'
import { quoted, tablesIn } from '#src/adapters/backup-tables.ts'
import { applyMigrations, migrations } from '#src/adapters/migrations.ts'
import { openPgliteEngine } from '#src/adapters/pglite-store.ts'
import { openPostgresEngine } from '#src/adapters/postgres-store.ts'
import type { SqlEngine } from '#src/adapters/sql-engine.ts'
import { makePartitions } from '#src/adapters/sql-partitions.ts'
import { sqlStore } from '#src/adapters/sql-store.ts'
import type { Store } from '#src/service/ports.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { approval, issue, put, release, session } from './release-records.ts'
import { agentSession, ban, heartbeat, later, open } from './session-records.ts'
import { batchOf } from './store-contract-log.ts'
import { AT, attestation, LATER, leaf, record, sealed, token, uuid } from './store-records.ts'

const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-backup-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
const at = new Date('2026-07-01T00:00:00Z')

/** Something in every table. */
async function fill(engine: SqlEngine): Promise<void> {
  await applyMigrations(engine)
  await makePartitions(engine)
  const store = sqlStore(engine)
  const parts = {
    certificates: [new Uint8Array([0, 255])],
    crls: [],
    tcbInfos: [],
    qeIdentities: [],
  }
  const numbers = Array.from({ length: 450 }, (_, n) => n + 1)
  await Promise.all(
    numbers.map(async (n) => {
      const kept = record(uuid(n), { at: n % 2 ? AT : new Date(), endorsementsDigest: 'e' })
      const kind = n % 3 ? 'issuance' : 'denial'
      const tokens = n % 3 ? [token(uuid(n)), token(uuid(n), { form: 'federation' })] : []
      const endorsements = { digest: 'e', parts }
      await store.recordAttestation(
        attestation(kept, { tokens, leaf: leaf({ kind }), endorsements }),
      )
    }),
  )
  await store.sequenceLog(400, async (t) => batchOf(t))
  await keepKeys(engine)
  await store.acceptPolicy(
    undefined,
    {
      tenant: 'acme',
      sequence: 1,
      commit: '1'.repeat(40),
      digest: 'sha256:1',
      marks: { 'agents/ä "\\ \0.yaml': 1 },
      provenance: {},
      acceptedAt: AT,
    },
    leaf({ kind: 'policy' }),
  )
  await store.firstSeen('acme', ['1'.repeat(40)], AT)
  await store.reportEnforcement({
    tenant: 'acme',
    name: 'n',
    kind: 'verifier',
    commit: '1',
    digest: 'd',
    reportedAt: AT,
  })
  const name = { commit: '1', digest: 'sha256:1' }
  const counts = { examined: 1, unexaminable: 0, changed: 0 }
  await store.keepDrift({ tenant: 'acme', from: name, to: name, at: AT, ...counts, entries: [] })
  await store.takeStatusBlock('https://a.example', { size: 8, capacity: 64, at: AT })
  await store.useOnce('dpop', 'p', LATER)
  await keepReleases(engine)
  await keepSessions(engine)
  const [one] = await store.tokensOf(uuid(1))
  const revocation = { at: AT, reason: 'operator', detail: 'x', by: 'alice' } as const
  await store.revokeTokens([one?.jti ?? ''], revocation, () => leaf())
}

async function keepKeys(engine: SqlEngine): Promise<void> {
  for (const purpose of ['challenge', 'possession:https://a.example', 'log'] as const)
    await sqlStore(engine).keepFirstKey(sealed(purpose, { purpose }))
}

async function keepReleases(engine: SqlEngine): Promise<void> {
  const store = sqlStore(engine)
  await put(store, 'secret:a', {
    ...{ brokerPath: 'a/b/c', releasesPerMinute: 5, acceptsSimulated: true },
  })
  await put(store, 'secret:b')
  await store.askApproval(approval('a', { approvedBy: [{ operator: 'bob', at: AT }] }))
  await store.openBrokerSession(session('s'))
  await issue(store, ['backed-up'])
  const made = release(
    { resource: 'secret:a', jti: 'backed-up', policyCommit: '1'.repeat(40) },
    { releasesPerMinute: 5 },
  )
  await store.recordRelease(made)
}

async function keepSessions(engine: SqlEngine): Promise<void> {
  const store = sqlStore(engine)
  const suspended = agentSession('suspended', { standing: 'suspended', reason: 'silent' })
  for (const each of [watched, suspended, agentSession('quarantined', { standing: 'quarantined' })])
    await open(store, each)
  const step = heartbeat(watched)
  await store.advanceSession(step)
  await store.ban(ban(), leaf({ kind: 'session' }))
  const terms = { gapMs: 1000, since: AT }
  for (const ms of [0, 5000]) await store.serviceAlive('replica', later(ms), terms)
  await store.claimWebhook('hook', { holder: 'replica', at: AT, until: new Date('2099-01-01') })
  await store.advanceWebhook('hook', { holder: 'replica', sequence: 3 })
}

const watched = agentSession('watched')

/** Whoever was open needs a quote, and nothing that was answered once is told again. */
async function expectSuspended(from: Store, to: Store, at: Date): Promise<void> {
  const all = await to.sessionsOf('acme', { limit: 10 })
  expect(all).toHaveLength(3)
  for (const session of all) {
    const before = (await from.findSession(session.id)) ?? expect.fail()
    expect(session).toEqual({
      ...before,
      lastMessage: undefined,
      ...(before.standing === 'open' && {
        standing: 'suspended',
        reason: expect.stringContaining('restored from a backup'),
        by: 'restore',
        changedAt: at,
        revision: before.revision + 1,
      }),
    })
    expect(await to.deltasOf(session.id)).toEqual(await from.deltasOf(session.id))
  }
  const again = heartbeat((await from.findSession(watched.id)) ?? expect.fail())
  if (again.session.standing === 'open') expect(await to.advanceSession(again)).toBe('superseded')
  const claimed = { holder: 'another', at, until: at }
  expect(await to.claimWebhook('hook', claimed)).toBe(3)
}

async function contentsOf(
  engine: SqlEngine,
): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const all: Record<string, readonly unknown[]> = {}
  await engine.transaction(async (session) => {
    for (const { name } of await tablesIn(session)) {
      const rows = await session.rows({
        text: `select md5(row::text) as row from ${quoted(name)} as row order by 1`,
      })
      all[name] = rows.map(({ row }) => row)
    }
  })
  return all
}

/** What a restore changes on purpose. */
const afresh = ['keys', 'status_lists', 'events', 'broker_sessions', 'sessions', 'webhook_cursors']

async function expectRestored(
  { from, to }: { readonly from: SqlEngine; readonly to: SqlEngine },
  file: string,
  at: Date,
): Promise<void> {
  const before = await contentsOf(from)
  const lines: number[] = []
  const restored = await restoreFromFile(to, file, {
    at,
    progress: ({ done }) => lines.push(done),
  })
  expect(restored).toMatchObject({ forgottenKeys: 2, log: { size: expect.any(Number) } })
  expect(lines.at(-1)).toBe(restored.header.tables.reduce((sum, { rows }) => sum + rows, 0))
  const after = await contentsOf(to)
  for (const [table, rows] of Object.entries(before)) {
    expect(rows.length, table).toBeGreaterThan(0)
    if (!afresh.includes(table)) expect(after[table], table).toEqual(rows)
  }
  const [old, store] = [sqlStore(from), sqlStore(to)]
  expect((await store.allKeys()).map(({ purpose }) => purpose)).toEqual(['log'])
  // No slot and no number is given twice.
  const block = await store.takeStatusBlock('https://a.example', { size: 8, capacity: 64, at: AT })
  expect(block.list).toBeGreaterThan(
    (await old.takeStatusBlock('https://a.example', { size: 8, capacity: 64, at: AT })).list,
  )
  expect(await store.lastEvent()).toBe(at.getTime())
  await store.keepDrift({ ...((await old.latestDrift('acme')) ?? expect.fail()), examined: 7 })
  expect((await store.latestDrift('acme'))?.examined).toBe(7)
  expect(await store.findBrokerSession('s')).toBeUndefined()
  await store.openBrokerSession(session('s'))
  await expectSuspended(old, store, at)
  expect(await store.findResource('acme', 'secret:a')).toEqual(
    await old.findResource('acme', 'secret:a'),
  )
  const next = attestation(record(randomUUID()))
  expect(await store.recordAttestation(next)).toBe('recorded')
  expect(await store.sequenceLog(2, async (t) => batchOf(t))).toBe('sequenced')
}

describeWithPostgres('a backup', () => {
  const file = join(scratch, 'of-postgres.backup')
  let server: Postgres
  let source: SqlEngine
  const engines: SqlEngine[] = []
  const empty = async () => {
    const engine = openPostgresEngine(await server.database())
    engines.push(engine)
    return engine
  }
  beforeAll(async () => {
    server = await startPostgres()
    source = await empty()
    await fill(source)
    await backupToFile(source, file, { at })
  })
  afterAll(async () => {
    await Promise.all(engines.map((engine) => engine.close()))
    await server.stop()
  })

  test('is for its owner only, names its tables, and leaves no draft behind', () => {
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(scratch)).toEqual(['of-postgres.backup'])
    const lines = readFileSync(file, 'utf8').split('\n')
    const header = JSON.parse(lines[0] ?? '')
    expect(header).toMatchObject({
      format: 'vouchsafe-backup',
      version: 1,
      madeAt: at.toISOString(),
      migration: migrations.at(-1)?.name,
    })
    const rows = header.tables.reduce((sum: number, table: { rows: number }) => sum + table.rows, 0)
    expect(lines).toHaveLength(rows + 3)
    expect(JSON.parse(lines.at(-2) ?? '')).toEqual({
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  test('takes the place of no file', async () => {
    const there = join(scratch, 'there')
    writeFileSync(there, 'mine')
    await expect(backupToFile(source, there, { at })).rejects.toThrow(`${there} is there already`)
    expect(readFileSync(there, 'utf8')).toBe('mine')
    rmSync(there)
    await expect(backupToFile(source, join(scratch, 'no/where'), { at })).rejects.toThrow(
      'cannot be made',
    )
  })

  test('is refused by a database that has rows', async () => {
    await expect(restoreFromFile(source, file, { at })).rejects.toThrow(
      'into an empty database only, and the table appraisals has rows',
    )
  })

  test('goes from PostgreSQL to PGlite, and from there to PostgreSQL', async () => {
    const pglite = await openPgliteEngine(join(scratch, 'pglite'))
    try {
      await expectRestored({ from: source, to: pglite }, file, at)
      await keepKeys(pglite)
      const back = join(scratch, 'of-pglite.backup')
      await backupToFile(pglite, back, { at })
      const later = new Date(at.getTime() + 1e6)
      await expectRestored({ from: pglite, to: await empty() }, back, later)
    } finally {
      await pglite.close()
    }
  })

  test('is of one instant, however much is written meanwhile', async () => {
    const store = sqlStore(source)
    let isOver = false
    const writing = (async () => {
      for (let n = 5000; !isOver; n += 1)
        await store.recordAttestation(attestation(record(uuid(n)), { tokens: [token(uuid(n))] }))
    })()
    const busy = join(scratch, 'busy.backup')
    const { tables } = await backupToFile(source, busy, { at })
    isOver = true
    await writing
    const rows = (name: string) => tables.find((table) => table.name === name)?.rows
    expect(rows('used_challenges')).toBe(rows('appraisals'))
    await restoreFromFile(await empty(), busy, { at })
  })

  test('of an older version’s database is restored and then migrated', async () => {
    const old = await empty()
    await applyMigrations(old, '0001_policy')
    await old.rows({ text: `insert into keys values ('challenge', 'k', now(), '\\x09')` })
    const older = join(scratch, 'older.backup')
    expect(await backupToFile(old, older, { at })).toMatchObject({ migration: '0001_policy' })
    const target = await empty()
    expect(await restoreFromFile(target, older, { at })).toMatchObject({ forgottenKeys: 1 })
    expect(await sqlStore(target).lastEvent()).toBe(at.getTime())
    const migrated = await empty()
    await applyMigrations(migrated)
    await expect(restoreFromFile(migrated, older, { at })).rejects.toThrow('migrated beyond it')
  })

  test('of an empty database is none', async () => {
    await expect(backupToFile(await empty(), join(scratch, 'none.backup'), { at })).rejects.toThrow(
      'nothing to back up',
    )
  })

  describe('what was damaged is refused, and leaves the database as empty as it was', () => {
    const whole = () => readFileSync(file)
    let target: SqlEngine
    beforeAll(async () => {
      target = await empty()
    })
    const swap = (bytes: Buffer, from: string, to: string) =>
      Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1')
    test.each<[string, () => Buffer, string]>([
      ['cut off in a line', () => whole().subarray(0, -20), 'it was truncated'],
      [
        'cut off after a line',
        () => whole().subarray(0, whole().lastIndexOf(0x0a, whole().length - 2) + 1),
        'it was truncated',
      ],
      ['nothing', () => Buffer.alloc(0), 'it was truncated'],
      ['with something behind it', () => Buffer.concat([whole(), Buffer.from('{}\n')]), 'follows'],
      ['with a value changed', () => swap(whole(), 'invoice-bot', 'invoice-boT'), 'it was altered'],
      ['with a value that is none', () => swap(whole(), '"2026-06-01', '"2026-99-01'), 'altered'],
      ['with another digest', () => swap(whole(), '{"sha256":"', '{"sha256":"0'), 'last line'],
      [
        'with a row less',
        () => swap(whole(), /"rows":\d+/.exec(whole().toString())?.[0] ?? '', '"rows":0'),
        'cannot be restored',
      ],
      ['of another format', () => swap(whole(), 'vouchsafe-backup', 'other'), 'its first line'],
      [
        'of a newer version',
        () => swap(whole(), String(migrations.at(-1)?.name), '9999_x'),
        'another version',
      ],
      [
        'of other tables',
        () => swap(whole(), '"name":"keys"', '"name":"kayz"'),
        'its tables are not',
      ],
    ])('%s', async (_, damaged, sentence) => {
      async function* chunks() {
        const bytes = damaged()
        // In pieces, wherever they fall.
        for (let start = 0; start < bytes.length; start += 77_777)
          yield bytes.subarray(start, start + 77_777)
      }
      const attempt = restoreBackup(target, { at, chunks: chunks() })
      await expect(attempt).rejects.toThrow(sentence)
      await expect(attempt).rejects.toMatchObject({ code: 'configuration-invalid' })
      const left = await target.transaction((session) => tablesIn(session))
      expect(left).toEqual([])
    })
  })
})
