/** Policy out of real Git repositories: what is read, what is refused, and what stays in force meanwhile. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { gitPolicySource } from '#src/adapters/git-policy-source.ts'
import { gitRepository } from '#src/adapters/git-repository.ts'
import type { JournalEntry } from '#src/service/ports.ts'
import { valid, waivable } from '../policy/manifests.ts'
import { type TestRepository, testRepository } from './repositories.ts'

const made: TestRepository[] = []
afterEach(() => {
  for (const repository of made.splice(0)) repository.remove()
})

function repositoryWith(
  files: Readonly<Record<string, string | Uint8Array>> = { [bot]: valid },
  ...init: readonly string[]
): TestRepository {
  const repository = testRepository(...init)
  made.push(repository)
  for (const [path, content] of Object.entries(files)) repository.write(path, content)
  repository.commit()
  return repository
}

const bot = 'agents/prod/invoice-bot.yaml'
const settings = { searchPath: process.env.PATH ?? '', timeoutMs: 10_000 }

function sourceOf(path: string, change: Partial<typeof settings> = {}) {
  const entries: JournalEntry[] = []
  const source = gitPolicySource({
    tenant: 'default',
    repository: gitRepository(path, { ...settings, ...change }),
    waivable,
    clock: { now: () => new Date('2026-06-01T00:00:00Z') },
    journal: { record: (entry) => entries.push(entry) },
  })
  return { source, entries }
}

async function conditionOf(path: string) {
  const { source } = sourceOf(path)
  await source.refresh()
  expect(source.accepted()).toBeUndefined()
  return source.condition()
}

describe('HEAD is read', () => {
  test.each([
    ['with SHA-1', []],
    ['with SHA-256', ['--object-format=sha256']],
  ])('%s', async (_, init) => {
    const repository = repositoryWith(undefined, ...init)
    const { source } = sourceOf(repository.path)
    expect(source.accepted()).toBeUndefined()
    await source.refresh()
    expect(source.condition()).toMatchObject({ name: 'Synced' })
    expect(source.accepted()).toMatchObject({ commit: repository.git('rev-parse', 'HEAD').trim() })
    expect(source.accepted()?.releaseOf('prod', 'invoice-bot')?.generation).toBe(42)
  })

  test('of a bare clone too, with the same digest', async () => {
    const repository = repositoryWith()
    repository.git('clone', '--quiet', '--bare', '.', 'bare.git')
    const [work, bare] = [sourceOf(repository.path), sourceOf(join(repository.path, 'bare.git'))]
    await Promise.all([work.source.refresh(), bare.source.refresh()])
    expect(bare.source.accepted()?.digest).toBe(work.source.accepted()?.digest)
  })

  test('and not the working tree, the index or another branch', async () => {
    const repository = repositoryWith()
    repository.git('checkout', '--quiet', '-b', 'other')
    repository.write(bot, valid.replace('42', '43'))
    repository.commit()
    repository.git('checkout', '--quiet', 'main')
    repository.write(bot, valid.replace('42', '44'))
    repository.git('add', '--all')
    const { source } = sourceOf(repository.path)
    await source.refresh()
    expect(source.accepted()?.releaseOf('prod', 'invoice-bot')?.generation).toBe(42)
  })

  test('again when it moves, once however many ask', async () => {
    const repository = repositoryWith()
    const { source, entries } = sourceOf(repository.path)
    await source.refresh()
    repository.write(bot, valid.replace('42', '43'))
    repository.commit()
    await Promise.all([source.refresh(), source.refresh(), source.refresh()])
    expect(source.accepted()?.releaseOf('prod', 'invoice-bot')?.generation).toBe(43)
    expect(entries.filter(({ event }) => event === 'policy.accepted')).toHaveLength(2)
  })

  test('with names that Git would quote', async () => {
    const repository = repositoryWith({ [bot]: valid, 'docs/ein "ä" \u{1f600}.md': 'x' })
    const { source } = sourceOf(repository.path)
    await source.refresh()
    expect(source.condition().name).toBe('Synced')
  })
})

describe('the policy in force stays', () => {
  test('when a new commit is no policy; the condition names file and line', async () => {
    const repository = repositoryWith()
    const { source } = sourceOf(repository.path)
    await source.refresh()
    const before = source.accepted()
    repository.write(bot, valid.replace('generation: 42', 'generation: 4.2'))
    const commit = repository.commit()
    await source.refresh()
    expect(source.accepted()).toBe(before)
    expect(source.condition()).toMatchObject({ name: 'SchemaInvalid', commit })
    expect(source.condition().message).toContain(`${bot}:6:15:`)
    repository.write(bot, valid.replace('42', '43'))
    repository.commit()
    await source.refresh()
    expect(source.condition().name).toBe('Synced')
  })

  test('when the repository is gone', async () => {
    const repository = repositoryWith()
    const { source } = sourceOf(repository.path)
    await source.refresh()
    repository.remove()
    await source.refresh()
    expect(source.accepted()).toBeDefined()
    expect(source.condition().name).toBe('FetchFailed')
  })
})

describe('refused', () => {
  test('a symbolic link', async () => {
    const repository = repositoryWith()
    symlinkSync('/etc/passwd', join(repository.path, 'agents/prod/link.yaml'))
    repository.commit()
    expect((await conditionOf(repository.path)).message).toContain(
      'agents/prod/link.yaml is a symbolic link',
    )
  })

  test('a submodule', async () => {
    const repository = repositoryWith()
    const commit = repository.git('rev-parse', 'HEAD').trim()
    repository.git('update-index', '--add', '--cacheinfo', `160000,${commit},agents/prod/module`)
    repository.git('commit', '--quiet', '--message', 'x')
    expect((await conditionOf(repository.path)).message).toContain('is a submodule')
  })

  test('a file above 1 MiB', async () => {
    const repository = repositoryWith({ [bot]: valid, big: new Uint8Array(1024 * 1024 + 1) })
    expect((await conditionOf(repository.path)).message).toContain('at most 1048576 are read')
  })

  test('a path that a terminal would read otherwise', async () => {
    const repository = repositoryWith({ [bot]: valid, 'docs/\u202etxt.exe': 'x' })
    expect((await conditionOf(repository.path)).message).toContain('not a plain relative path')
  })

  test('paths that climb, although git itself will not write them', async () => {
    const repository = repositoryWith()
    const blob = repository.git('rev-parse', `HEAD:${bot}`).trim()
    // mktree does not judge names, as a hostile server would not.
    const inner = gitWith(repository, ['mktree'], `100644 blob ${blob}\tx\n`)
    const tree = gitWith(repository, ['mktree'], `040000 tree ${inner}\t..\n`)
    const commit = repository.git('commit-tree', tree, '-m', 'x').trim()
    repository.git('update-ref', 'HEAD', commit)
    expect((await conditionOf(repository.path)).message).toContain('not a plain relative path')
  })

  test('a folder that is no repository, although one of its parents is', async () => {
    const repository = repositoryWith()
    mkdirSync(join(repository.path, 'inner'))
    expect((await conditionOf(join(repository.path, 'inner'))).name).toBe('FetchFailed')
  })

  test('a repository without a commit', async () => {
    const repository = testRepository()
    made.push(repository)
    expect((await conditionOf(repository.path)).name).toBe('FetchFailed')
  })

  test('a machine without git', async () => {
    const { source } = sourceOf(repositoryWith().path, { searchPath: '/nonexistent' })
    await source.refresh()
    expect(source.condition().message).toContain('git could not be started')
  })

  test('a git that does not end', async () => {
    const repository = repositoryWith()
    mkdirSync(join(repository.path, 'slow'))
    writeFileSync(join(repository.path, 'slow/git'), '#!/bin/sh\nexec /bin/sleep 60\n', {
      mode: 0o755,
    })
    const { source } = sourceOf(repository.path, {
      searchPath: join(repository.path, 'slow'),
      timeoutMs: 200,
    })
    await source.refresh()
    expect(source.condition().message).toContain('did not answer within 200 ms')
  })
})

describe('the repository runs nothing', () => {
  test('no replacement object stands in for HEAD’s', async () => {
    const repository = repositoryWith()
    const good = repository.git('rev-parse', 'HEAD').trim()
    repository.write(bot, valid.replace('42', '666'))
    const bad = repository.commit()
    repository.git('reset', '--quiet', '--hard', good)
    repository.git('replace', good, bad)
    const { source } = sourceOf(repository.path)
    await source.refresh()
    expect(source.accepted()?.releaseOf('prod', 'invoice-bot')?.generation).toBe(42)
  })

  test('no promised object is fetched and no helper of its configuration started', async () => {
    const repository = repositoryWith()
    const proof = join(repository.path, 'ran')
    const helper = `touch ${proof}; exit 1;`
    repository.git('config', 'core.fsmonitor', helper)
    repository.git('config', 'core.sshCommand', helper)
    repository.git('config', 'core.pager', helper)
    repository.git('config', 'remote.origin.url', 'ssh://host.invalid/x')
    repository.git('config', 'remote.origin.promisor', 'true')
    repository.git('config', 'core.repositoryformatversion', '1')
    repository.git('config', 'extensions.partialClone', 'origin')
    const object = repository.git('rev-parse', `HEAD:${bot}`).trim()
    const file = join(repository.path, '.git/objects', object.slice(0, 2), object.slice(2))
    rmSync(file, { force: true })
    expect((await conditionOf(repository.path)).name).toBe('FetchFailed')
    expect(existsSync(proof)).toBe(false)
  })
})

test('a thousand manifests are read, and one that changes is read alone', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 1000 }, (_, n) => [
      `agents/prod/bot-${n}.yaml`,
      valid.replace('name: invoice-bot', `name: bot-${n}`),
    ]),
  )
  const repository = repositoryWith(files)
  const { source } = sourceOf(repository.path)
  await source.refresh()
  const before = source.accepted()
  expect(before?.releases).toHaveLength(1000)
  repository.write(
    'agents/prod/bot-7.yaml',
    valid.replace('name: invoice-bot', 'name: bot-7').replace('42', '43'),
  )
  repository.commit()
  await source.refresh()
  const same = source.accepted()?.releases.filter((release) => before?.releases.includes(release))
  expect(same).toHaveLength(999)
})

function gitWith(repository: TestRepository, args: readonly string[], input: string): string {
  return execFileSync('git', ['-C', repository.path, ...args], { input, encoding: 'utf8' }).trim()
}
