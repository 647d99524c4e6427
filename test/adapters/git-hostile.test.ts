/** Trees that somebody wrote who means harm, repositories that want to decide what git does, and a git that fails. */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { gitHistory } from '#src/adapters/git-history.ts'
import { BOT, type PolicyRepository } from '../git/policy-repository.ts'
import { faultOf, historyOf, repositoryWith, settings } from './git-scene.ts'

/** A commit of the tree that `mktree` makes of this listing; no fsck looks at it, as no one does at a hostile server's. */
async function commitOfTree(repository: PolicyRepository, listing: string): Promise<string> {
  const tree = repository.gitWith(listing, 'mktree', '-z', '--missing')
  return await repository.commit({ tree, parents: [], branch: 'aside' })
}

describe('no policy', () => {
  const names: readonly (readonly [string, string, string])[] = [
    ['a path that climbs', '..', 'not a plain path'],
    ['a path that stays', '.', 'not a plain path'],
    ['Git’s own folder', '.git', 'not a plain path'],
    ['the same to a Mac', '.GIT', 'not a plain path'],
    ['the same to Windows', 'git~1', 'not a plain path'],
    ['the same to Windows, with a dot', '.git.', 'not a plain path'],
    ['a backslash', 'a\\b', 'not a plain path'],
    ['a line feed', 'a\nb', 'not a plain path'],
    ['an escape sequence', '\u001b[2J', 'not a plain path'],
    ['text that runs backwards', '\u202etxt.exe', 'not a plain path'],
    ['a byte order mark', '\ufeffa', 'not a plain path'],
    ['a very long name', 'x'.repeat(256), 'a name of 256 bytes'],
  ]
  test.each(names)('%s', async (_, name, told) => {
    const repository = await repositoryWith()
    const content = repository.git('rev-parse', `${repository.first}:${BOT}`)
    const commit = await commitOfTree(repository, `100644 blob ${content}\t${name}\0`)
    expect(await faultOf(historyOf(repository).filesOf(commit))).toContain(told)
  })

  const pairs: readonly (readonly [string, string, string])[] = [
    ['case', 'Bot.yaml', 'bot.yaml'],
    ['Unicode form', 'caf\u00e9', 'cafe\u0301'],
    ['sharp s', 'stra\u00dfe', 'STRASSE'],
    ['a width that few can see', '\uff42ot', 'bot'],
  ]
  test.each(pairs)('two names that differ only by %s', async (_, one, other) => {
    const repository = await repositoryWith({ [`agents/${one}`]: '1', [`agents/${other}`]: '2' })
    const fault = await faultOf(historyOf(repository).filesOf(repository.first))
    expect(fault).toContain('only in case or Unicode form: rename one')
    const fine = await repository.commit({ files: { [`agents/${one}`]: null } })
    expect(await historyOf(repository).filesOf(fine)).toHaveLength(1)
  })

  test('folders count too: the same names below them would be two files', async () => {
    const repository = await repositoryWith({ 'agents/a': '1', 'Agents/b': '2' })
    expect(await faultOf(historyOf(repository).filesOf(repository.first))).toContain('"agents"')
  })

  test('a name that is not UTF-8', async () => {
    const repository = await repositoryWith()
    const content = repository.git('rev-parse', `${repository.first}:${BOT}`)
    const tree = repository.gitWith(
      Buffer.concat([Buffer.from(`100644 blob ${content}\t`), Buffer.from([0xff, 0xfe, 0])]),
      'mktree',
      '-z',
    )
    const commit = await repository.commit({ tree, parents: [], branch: 'aside' })
    expect(await faultOf(historyOf(repository).filesOf(commit))).toContain('not UTF-8: hex fffe')
    expect(await faultOf(historyOf(repository).changedPaths(undefined, commit))).toContain('fffe')
  })

  test('the same name twice', async () => {
    const repository = await repositoryWith({ a: '1', b: '2' })
    const [one = '', other = ''] = ['a', 'b'].map((name) =>
      repository.git('rev-parse', `${repository.first}:${name}`),
    )
    const raw = Buffer.concat(
      [one, other].flatMap((object) => [Buffer.from('100644 x\0'), Buffer.from(object, 'hex')]),
    )
    const tree = repository.gitWith(
      raw,
      'hash-object',
      '-t',
      'tree',
      '--literally',
      '-w',
      '--stdin',
    )
    const commit = await repository.commit({ tree, parents: [], branch: 'aside' })
    expect(await faultOf(historyOf(repository).filesOf(commit))).toContain('lists "x" twice')
  })

  test.each([
    ['120000', 'agents/prod/x is a symbolic link'],
    ['160000', 'agents/prod/x is a submodule'],
    ['100664', 'agents/prod/x is an entry of mode 100664'],
  ])('an entry of mode %s', async (mode, told) => {
    const repository = await repositoryWith()
    const object = repository.git(
      'rev-parse',
      mode === '160000' ? repository.first : `${repository.first}:${BOT}`,
    )
    const entry = Buffer.concat([Buffer.from(`${mode} x\0`), Buffer.from(object, 'hex')])
    const inner = repository.gitWith(
      entry,
      'hash-object',
      '-t',
      'tree',
      '--literally',
      '-w',
      '--stdin',
    )
    const middle = repository.gitWith(`040000 tree ${inner}\tprod\n`, 'mktree')
    const commit = await commitOfTree(repository, `040000 tree ${middle}\tagents\0`)
    expect(await faultOf(historyOf(repository).filesOf(commit))).toContain(told)
    // A later commit may take it away again, so the walk may meet it.
    expect(await historyOf(repository).changedPaths(undefined, commit)).toEqual(['agents/prod/x'])
  })

  test('a file above 1 MiB, even if it looks like git’s answer about another one', async () => {
    const small = await repositoryWith({ a: 'a', c: 'c' })
    const forged = `${small.git('rev-parse', `${small.first}:c`)} blob 6\nforged\n`
    const big = forged.repeat(Math.ceil((1024 * 1024 + 1) / forged.length))
    const both = await small.commit({ files: { big } })
    const history = historyOf(small)
    expect(await faultOf(history.filesOf(both))).toContain(`big has ${big.length} bytes`)
    const files = await history.filesOf(small.first)
    expect(files.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['a', 'c'])
  })

  test('more than 64 MiB together', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 65 }, (_, n) => [`f${n}`, new Uint8Array(1024 * 1024).fill(n)]),
    )
    const repository = await repositoryWith(files)
    expect(await faultOf(historyOf(repository).filesOf(repository.first))).toContain(
      'more than 67108864 bytes',
    )
  })

  test.each([
    ['20,001 files', 20_001, 1],
    ['ten folders that are the same ten folders, nine levels deep', 10, 9],
  ])('%s', async (_, width, depth) => {
    const repository = await repositoryWith({ a: '' })
    let entry = `100644 blob ${repository.git('rev-parse', `${repository.first}:a`)}`
    for (let level = 0; level < depth; level++) {
      const listing = Array.from({ length: width }, (_, n) => `${entry}\t${n}\0`).join('')
      entry = `040000 tree ${repository.gitWith(listing, 'mktree', '-z')}`
    }
    const commit = await commitOfTree(repository, `${entry}\tx\0`)
    const history = historyOf(repository)
    expect(await faultOf(history.filesOf(commit))).toContain('more than 20000 files and folders')
    if (depth > 1)
      expect(await faultOf(history.changedPaths(undefined, commit))).toContain('more than 100000')
  })

  test.each(['tree', 'blob', 'tag'])('a %s in a commit’s place', async (kind) => {
    const repository = await repositoryWith({ a: '1' })
    repository.git('tag', '--annotate', '--message', 'x', 'v1', repository.first)
    const object = repository.git(
      'rev-parse',
      { tree: `${repository.first}^{tree}`, blob: `${repository.first}:a` }[kind] ?? 'refs/tags/v1',
    )
    expect(await faultOf(historyOf(repository).filesOf(object))).toContain(
      `is a ${kind} and no commit`,
    )
  })

  test.each(['HEAD', '--batch-all-objects', 'main', '', 'a'.repeat(41)])(
    '"%s" in place of a commit’s name',
    async (name) => {
      const repository = await repositoryWith()
      expect(await faultOf(historyOf(repository).commitObject(name))).toContain('is not the name')
    },
  )
})

describe('the repository decides nothing', () => {
  test('no replacement or graft stands in for a commit', async () => {
    const repository = await repositoryWith({ a: 'good' })
    const good = repository.first
    const bad = await repository.commit({ files: { a: 'bad' }, parents: [], branch: 'aside' })
    repository.git('replace', good, bad)
    const next = await repository.commit({ files: { b: '1' } })
    await mkdir(join(repository.path, 'info'), { recursive: true })
    await writeFile(join(repository.path, 'info/grafts'), `${next} ${bad}\n`)
    const history = historyOf(repository)
    expect(await history.firstParents(undefined, next)).toEqual([good, next])
    const [file] = await history.filesOf(good)
    expect(Buffer.from(file?.bytes ?? []).toString()).toBe('good')
  })

  test('no promised object is fetched, and nothing of its configuration is started', async () => {
    const repository = await repositoryWith({ a: 'content' })
    const proof = join(repository.path, 'ran')
    const helper = `touch ${proof}; exit 1;`
    for (const [key, value] of Object.entries({
      'core.fsmonitor': helper,
      'core.sshCommand': helper,
      'core.pager': helper,
      'core.alternateRefsCommand': helper,
      'remote.origin.url': 'ssh://host.invalid/x',
      'remote.origin.uploadpack': helper,
      'remote.origin.promisor': 'true',
      'core.repositoryformatversion': '1',
      'extensions.partialClone': 'origin',
    }))
      repository.git('config', key, value)
    const object = repository.git('rev-parse', `${repository.first}:a`)
    rmSync(join(repository.path, 'objects', object.slice(0, 2), object.slice(2)))
    await faultOf(historyOf(repository).filesOf(repository.first))
    expect(existsSync(proof)).toBe(false)
  })

  test('nothing of this process’s environment reaches git', async () => {
    const repository = await repositoryWith({ a: 'here' })
    const other = await repositoryWith({ a: 'elsewhere' })
    process.env.GIT_OBJECT_DIRECTORY = join(other.path, 'objects')
    try {
      const [file] = await historyOf(repository).filesOf(repository.first)
      expect(Buffer.from(file?.bytes ?? []).toString()).toBe('here')
    } finally {
      delete process.env.GIT_OBJECT_DIRECTORY
    }
  })
})

describe('without a git that works', () => {
  test('a machine without git', async () => {
    const { path, first } = await repositoryWith()
    const history = gitHistory(path, { ...settings, searchPath: '/nonexistent' })
    expect(await faultOf(history.filesOf(first))).toContain('git could not be started')
  })

  test.each([
    ['does not answer', 'exec /bin/sleep 60', 'did not answer within 300 ms'],
    ['ends', 'exit 3', 'exit 3'],
    ['complains', 'echo "fatal: no \u001b[31mway" >&2; exit 128', 'git says: no [31mway'],
  ])('a git that %s', async (_, script, told) => {
    const { path, first } = await repositoryWith()
    const folder = await mkdtemp(join(tmpdir(), 'vouchsafe-git-'))
    writeFileSync(join(folder, 'git'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const history = gitHistory(path, { searchPath: folder, timeoutMs: 300 })
    const reads = [history.filesOf(first), history.commitObject(first)]
    for (const read of reads) expect(await faultOf(read)).toContain(told)
    await rm(folder, { recursive: true })
  })

  test('a folder that is no repository, although one of its parents is', async () => {
    const repository = await repositoryWith()
    const inner = join(repository.path, 'inner')
    await mkdir(inner)
    const history = gitHistory(inner, settings)
    expect(await faultOf(history.filesOf(repository.first))).toContain('not a git repository')
  })
})
