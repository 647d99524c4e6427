/** What does `policy verify` answer, in words, in JSON and by its exit code? The rule itself is tested in test/policy. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import {
  alice,
  BOT,
  bob,
  clockwork,
  heartbeatYaml,
  manifest,
  type PolicyRepository,
  policyRepository,
  reset,
  rootYaml,
  withHeartbeat,
} from '../git/policy-repository.ts'
import { policy, removeScratch, scratchFolder, verify } from './policy-tools.ts'

const made: PolicyRepository[] = []
afterEach(() => {
  for (const repository of made.splice(0)) repository.remove()
})
afterAll(removeScratch)

async function repositoryOf(...settings: Parameters<typeof policyRepository>) {
  const repository = await policyRepository(...settings)
  made.push(repository)
  return repository
}

describe('accepted', () => {
  test('the JSON names everything that was judged, in the documented order', async () => {
    const repository = await repositoryOf()
    const commit = await repository.commit({ files: { [BOT]: manifest({ generation: 43 }) } })
    const { code, out, json } = await policy([
      'verify',
      '--repository',
      repository.path,
      '--last',
      repository.first,
      '--json',
    ])
    expect(code).toBe(0)
    expect(Object.keys(json)).toEqual([
      'accepted',
      'condition',
      'commit',
      'message',
      'digest',
      'trustDigest',
      'branch',
      'candidate',
      'start',
      'judged',
      'mistakes',
    ])
    expect(out.endsWith('}\n')).toBe(true)
    expect(json).toMatchObject({
      accepted: true,
      condition: 'Synced',
      commit,
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      trustDigest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      branch: 'main',
      candidate: commit,
      start: { kind: 'accepted', at: repository.first },
      judged: [{ commit, principal: 'alice', approvals: {} }],
      mistakes: [],
    })
  })

  test('without --last and --pin it says that the first commit is taken on trust', async () => {
    const repository = await repositoryOf()
    const { code, out } = await policy(['verify', '--repository', repository.path])
    expect(code).toBe(0)
    expect(out).toMatch(/^ACCEPTED [0-9a-f]{12} of main\n/)
    expect(out).toContain('taken on trust: nothing vouches for it')
    expect((await verify(repository)).start).toEqual({ kind: 'first-commit', at: null })
  })

  test.each([
    ['a path', (path: string) => path],
    ['a file:// address', (path: string) => `file://${path}`],
  ])('%s leads to the same answer', async (_, where) => {
    const { path, first } = await repositoryOf()
    const { code, commit } = await verify({ path: where(path) })
    expect([code, commit]).toEqual([0, first])
  })

  test('a bare clone, and one of SHA-256 objects', async () => {
    const { path } = await repositoryOf({ objectFormat: 'sha256' })
    const bare = join(scratchFolder(), 'bare.git')
    execFileSync('git', ['clone', '--quiet', '--bare', path, bare], { stdio: 'pipe' })
    const { code, commit } = await verify({ path: bare })
    expect([code, commit.length]).toEqual([0, 64])
  })

  test('what is checked out is judged, a branch only where it is named', async () => {
    const repository = await repositoryOf()
    const change = await repository.commit({ files: { [BOT]: manifest({ generation: 43 }) } })
    repository.git('branch', 'change')
    repository.point(repository.first)
    expect((await verify(repository)).candidate).toBe(repository.first)
    expect(await verify(repository, '--branch', 'change')).toMatchObject({
      candidate: change,
      branch: 'change',
    })
    repository.git('update-ref', '--no-deref', 'HEAD', change)
    expect(await verify(repository)).toMatchObject({ candidate: change, branch: 'HEAD' })
  })

  test('the very commit of --last', async () => {
    const repository = await repositoryOf()
    const { code, judged } = await verify(repository, '--last', 'HEAD')
    expect([code, judged]).toEqual([0, []])
  })
})

describe('refused', () => {
  test('an unsigned commit, in words and by name', async () => {
    const repository = await repositoryOf()
    const commit = await repository.commit({
      files: { [BOT]: manifest({ generation: 43 }) },
      by: 'nobody',
    })
    await repository.commit({ files: { 'README.md': 'more' } })
    expect(await verify(repository)).toMatchObject({
      code: 2,
      accepted: false,
      condition: 'UnknownSigner',
      commit,
      digest: null,
      trustDigest: null,
    })
    const { out } = await policy(['verify', '--repository', repository.path])
    expect(out).toContain(`of main: UnknownSigner at ${commit.slice(0, 12)}`)
    expect(out).toContain('it is not signed')
  })

  test('a mistake in the tree, with file, line and column', async () => {
    const repository = await repositoryOf()
    const broken = manifest({ generation: 43 }).replace('ttl: 300s', 'ttl: 9999s')
    await repository.commit({ files: { [BOT]: broken } })
    const { code, condition, mistakes } = await verify(repository)
    expect([code, condition]).toEqual([2, 'SchemaInvalid'])
    expect(mistakes).toEqual([
      expect.objectContaining({ file: BOT, line: expect.any(Number), column: expect.any(Number) }),
    ])
    const { out } = await policy(['verify', '--repository', repository.path])
    expect(out).toMatch(new RegExp(`${BOT}:\\d+:\\d+: spec.release`))
  })

  test('a threshold that is not met, with who is needed', async () => {
    const repository = await repositoryOf()
    await repository.commit({ files: { 'trust/root.yaml': rootYaml({ generation: 2 }) } })
    const { code, condition, message } = await verify(repository)
    expect([code, condition]).toEqual([2, 'ApprovalMissing'])
    expect(message).toContain('vouchsafe policy approve trust/root.yaml')
  })

  test('another branch than the one behind --last', async () => {
    const repository = await repositoryOf()
    const left = await repository.commit({ files: { 'a.md': 'a' } })
    repository.point(repository.first)
    await repository.commit({ files: { 'b.md': 'b' } })
    const { code, condition } = await verify(repository, '--last', left)
    expect([code, condition]).toEqual([2, 'RollbackOrRewrite'])
  })

  test('but not when two owners signed a reset', async () => {
    const repository = await repositoryOf()
    const from = await repository.commit({ files: { 'a.md': 'a' } })
    repository.point(repository.first)
    const to = await repository.commit({ files: { 'b.md': 'b' } })
    await repository.commit({ files: reset({ from, to }, alice, bob) })
    expect((await verify(repository, '--last', from)).code).toBe(0)
  })

  test('a heartbeat that has ended is Stale, and everything else is said to be well', async () => {
    const repository = await repositoryOf({
      files: withoutHeartbeat('2026-06-02T00:00:00Z'),
    })
    const beat = { 'heartbeat.yaml': heartbeatYaml('2026-06-02T00:00:00Z') }
    await repository.commit({ files: beat, by: clockwork })
    expect(await verify(repository, '--at', '2026-06-01T12:00:00Z')).toMatchObject({ code: 0 })
    const late = await verify(repository, '--at', '2026-06-02T00:00:01Z')
    expect(late).toMatchObject({ code: 2, accepted: false, condition: 'Stale' })
    expect(late.message).toContain('Nothing else is wrong')
  })
})

describe('could not tell', () => {
  test.each([
    ['a folder without a repository', () => scratchFolder(), 'is no Git repository'],
    ['a folder that is not there', () => '/nonexistent/policy', 'is no Git repository'],
    ['an address that does not answer', () => 'file:///nonexistent/policy.git', 'git says'],
  ])('%s: FetchFailed, exit code 1', async (_, where, message) => {
    const verdict = await verify({ path: where() })
    expect(verdict).toMatchObject({ code: 1, accepted: false, condition: 'FetchFailed' })
    expect(verdict.message).toContain(message)
  })

  test('a folder within another repository is not taken for that one', async () => {
    const { path } = await repositoryOf()
    mkdirSync(join(path, 'inner'))
    writeFileSync(join(path, 'inner/file'), '')
    expect(await verify({ path: join(path, 'inner') })).toMatchObject({ condition: 'FetchFailed' })
  })

  test('a shallow clone, whose history was cut off', async () => {
    const repository = await repositoryOf()
    await repository.commit({ files: { 'README.md': 'x' } })
    const shallow = join(scratchFolder(), 'shallow')
    const from = `file://${repository.path}`
    execFileSync('git', ['clone', '--quiet', '--depth=1', from, shallow], { stdio: 'pipe' })
    expect(await verify({ path: shallow })).toMatchObject({
      code: 1,
      condition: 'FetchFailed',
      message: expect.stringContaining('git fetch --unshallow'),
    })
  })

  test.each([
    ['a branch that is not there', ['--branch', 'elsewhere'], 'elsewhere'],
    ['a --last that is not there', ['--last', '1'.repeat(40)], '1111'],
  ])('%s', async (_, args, named) => {
    const verdict = await verify(await repositoryOf(), ...args)
    expect(verdict).toMatchObject({ code: 1, condition: 'FetchFailed' })
    expect(verdict.message).toContain(named)
  })

  test.each([
    ['--last beside --pin', ['--last', 'HEAD', '--pin', '1'.repeat(40)], 'both say where to begin'],
    ['a short pin', ['--pin', '1234567'], 'neither a full commit name'],
    ['an instant without zone', ['--at', '2026-06-01T00:00:00'], 'RFC 3339'],
    ['an option for git', ['--branch', '--upload-pack=x'], 'branch'],
    ['an address that runs a command', ['--repository', 'ext::sh -c x'], 'neither a path'],
    ['a stray word', ['main'], 'takes no main'],
  ])('%s', async (_, args, detail) => {
    const { code, json } = await policy(['verify', ...args, '--json'])
    expect([code, json.error.code]).toEqual([1, 'arguments-invalid'])
    expect(json.error.detail).toContain(detail)
  })
})

/** What `withHeartbeat` holds, but for the file that only clockwork may write. */
function withoutHeartbeat(notAfter: string): Readonly<Record<string, string>> {
  const { 'heartbeat.yaml': _, ...rest } = withHeartbeat(notAfter)
  return rest
}
