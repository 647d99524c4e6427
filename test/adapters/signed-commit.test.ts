/** What is made here is judged by the system's git and ssh-keygen. */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { commitSigned, initRepository } from '../../src/adapters/signed-commit.ts'
import { readCommit } from '../../src/policy/signatures/commit-object.ts'
import { sshKeyOf, sshKeyText } from '../../src/policy/signatures/ssh-key.ts'
import { isGenuine, readSshSignature } from '../../src/policy/signatures/ssh-signature.ts'
import { describeWith } from '../policy/external-tool.ts'
import { sshKeygenProbe } from '../policy/ssh-keygen.ts'

const searchPath = process.env.PATH ?? ''
const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-signed-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const alice = { privateKey, name: 'Älice', email: 'alice@example.com' }
const allowed = join(folder, 'allowed_signers')
writeFileSync(allowed, `alice ${sshKeyText(sshKeyOf(publicKey))}\n`)
const at = new Date('2026-06-01T12:00:00Z')

let count = 0
async function repository(settings: Partial<Parameters<typeof initRepository>[1]> = {}) {
  const path = join(folder, `${++count}`)
  await initRepository(path, { searchPath, kind: 'bare', ...settings })
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', path, '-c', `gpg.ssh.allowedSignersFile=${allowed}`, ...args], {
      env: {
        PATH: searchPath,
        HOME: folder,
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CONFIG_NOSYSTEM: '1',
      },
      encoding: 'utf8',
      stdio: 'pipe',
    }).trimEnd()
  type Request = Omit<Parameters<typeof commitSigned>[0], 'repository' | 'searchPath' | 'message'>
  return {
    path,
    git,
    commit: async (request: Request = {}, message = 'a change') =>
      await commitSigned({ repository: path, searchPath, message, signer: alice, at, ...request }),
  }
}

const kinds = ['bare', 'working-tree'] as const
const formats = ['sha1', 'sha256'] as const
const everywhere = kinds.flatMap((kind) => formats.map((objectFormat) => ({ kind, objectFormat })))

describe.each(everywhere)('in a repository with $kind, $objectFormat', (settings) => {
  test('files come, change and go, and what was not named stays', async () => {
    const { git, commit } = await repository(settings)
    await commit({ files: { 'a/b/c.yaml': 'one\n', kept: new Uint8Array([0, 255]), folder: 'x' } })
    await commit({
      files: { 'a/b/c.yaml': 'two\n', folder: null, 'folder/in': 'x', 'ä "\\\n': '' },
    })
    expect(git('show', 'HEAD:a/b/c.yaml')).toBe('two')
    expect(git('ls-tree', '-r', '-z', '--name-only', 'HEAD').split('\0')).toEqual([
      'a/b/c.yaml',
      'folder/in',
      'kept',
      'ä "\\\n',
      '',
    ])
    await commit({ files: { a: null, folder: null, kept: null, 'ä "\\\n': null } })
    expect(git('ls-tree', '-r', 'HEAD')).toBe('')
    expect(git('rev-list', '--count', 'HEAD')).toBe('3')
    expect(git('fsck', '--strict', '--no-dangling')).toBe('')
  })

  test('two parents make a merge', async () => {
    const { git, commit } = await repository(settings)
    const base = await commit({ files: { base: '' } })
    const ours = await commit({ files: { ours: '' } })
    const theirs = await commit({ files: { theirs: '' }, branch: 'side', parents: [base] })
    const merge = await commit({ files: { theirs: '' }, parents: [ours, theirs] })
    expect(git('log', '-1', '--format=%H %P', 'main')).toBe(`${merge} ${ours} ${theirs}`)
    expect(git('rev-parse', 'side')).toBe(theirs)
    expect(git('ls-tree', '--name-only', 'main')).toBe('base\nours\ntheirs')
  })

  test('no parents begin a history anew on the same branch', async () => {
    const { git, commit } = await repository(settings)
    await commit({ files: { a: '' } })
    const fresh = await commit({ files: { b: '' }, parents: [] })
    expect(git('rev-list', 'main')).toBe(fresh)
    expect(git('ls-tree', '--name-only', 'main')).toBe('b')
  })

  test('what is signed is what we read', async () => {
    const { git, commit } = await repository(settings)
    const name = await commit({ files: { a: '' } }, 'a subject\n\nand a body')
    const { payload, signature, author } = readCommit(
      new Uint8Array(Buffer.from(`${git('cat-file', 'commit', name)}\n`)),
    )
    expect(author).toEqual({ name: 'Älice', email: 'alice@example.com', at })
    const { armored = new Uint8Array() } = signature ?? {}
    expect(isGenuine(readSshSignature(armored), payload, 'git')).toBe(true)
  })
})

describeWith(sshKeygenProbe, 'git with ssh-keygen', () => {
  test.each(everywhere)('verifies commits with $kind, $objectFormat', async (settings) => {
    const { git, commit } = await repository(settings)
    const first = await commit({ files: { a: '' } })
    await commit({ parents: [first, first], files: { b: '' } }, 'with\n\ngpgsig in its message\n')
    expect(git('log', '--format=%G? %GS %an')).toBe('G alice Älice\nG alice Älice')
    git('verify-commit', 'HEAD', first)
  })

  /** Git's own signatures, read by us. */
  test.each(formats)('signs commits of %s that we find genuine', async (objectFormat) => {
    const { git } = await repository({ kind: 'working-tree', objectFormat })
    const key = join(folder, `key-${objectFormat}`)
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
    const settings = [
      'gpg.format=ssh',
      `user.signingKey=${key}.pub`,
      'user.name=A',
      'user.email=a@b',
    ]
    const signing = settings.flatMap((setting) => ['-c', setting])
    git(...signing, 'commit', '-S', '--quiet', '--allow-empty', '--message', 'subject')
    git(...signing, 'commit', '-S', '--quiet', '--allow-empty', '--message', 'a\n\ngpgsig b\n c')
    for (const name of ['HEAD', 'HEAD^']) {
      const raw = Buffer.from(`${git('cat-file', 'commit', name)}\n`)
      const { payload, signature } = readCommit(new Uint8Array(raw))
      const { armored = new Uint8Array() } = signature ?? {}
      expect(isGenuine(readSshSignature(armored), payload, 'git')).toBe(true)
    }
  })
})

describe('a commit', () => {
  test('may be unsigned', async () => {
    const { git, path } = await repository()
    await commitSigned({ repository: path, searchPath, message: 'x', files: { a: '' } })
    const raw = Buffer.from(`${git('cat-file', 'commit', 'HEAD')}\n`)
    expect(readCommit(new Uint8Array(raw)).signature).toBeUndefined()
  })

  test('may claim another committer and time', async () => {
    const { git, commit } = await repository()
    const past = new Date('2020-01-01T00:00:00Z')
    await commit({ committer: { name: 'Mallory', at: past } })
    expect(git('log', '-1', '--format=%an %at %cn %ce %ct')).toBe(
      `Älice ${at.getTime() / 1000} Mallory alice@example.com ${past.getTime() / 1000}`,
    )
  })

  test('may have any tree and any signature', async () => {
    const { git, commit } = await repository()
    const first = await commit({ files: { a: 'target' } })
    const [, , blob] = git('ls-tree', first).split(/\s/)
    const tree = execFileSync('git', ['-C', git('rev-parse', '--git-dir'), 'mktree'], {
      cwd: join(folder, `${count}`),
      input: `120000 blob ${blob}\tlink\n`,
      encoding: 'utf8',
    }).trim()
    await commit({ tree, sign: () => 'not a signature\nat all\n' })
    expect(git('ls-tree', 'HEAD')).toMatch(/^120000 blob/)
    expect(git('cat-file', 'commit', 'HEAD')).toContain('\ngpgsig not a signature\n at all\n\n')
  })

  test('is the same whoever makes it: no hook, template or configuration of the machine counts', async () => {
    const [one, other] = [await repository(), await repository()]
    expect(readdirSync(one.path)).not.toContain('hooks')
    mkdirSync(join(one.path, 'hooks'))
    const hook = join(one.path, 'hooks', 'reference-transaction')
    writeFileSync(hook, '#!/bin/sh\nexit 1\n')
    chmodSync(hook, 0o755)
    one.git('config', 'commit.gpgSign', 'true')
    const files = { a: 'same' }
    expect(await one.commit({ files })).toBe(await other.commit({ files }))
  })

  test('may change a thousand files at once', async () => {
    const { git, commit } = await repository()
    const files = Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [`agents/prod/a${index}.yaml`, `a: ${index}\n`]),
    )
    await commit({ files })
    expect(git('ls-tree', '-r', '--name-only', 'HEAD').split('\n')).toHaveLength(1000)
  })

  test.each([{ name: 'x\nparent y' }, { name: 'x <y>' }, { email: 'x>' }])(
    'by a committer of %o is not made: it would say something else',
    async (committer) => {
      const { git, commit } = await repository()
      await expect(commit({ committer })).rejects.toMatchObject({ code: 'configuration-invalid' })
      expect(git('for-each-ref')).toBe('')
    },
  )

  test.each<[string, string]>([
    ['where there is no git', '/nonexistent'],
    ['where there is no repository', searchPath],
  ])('%s is a Problem', async (_, path) => {
    await expect(
      commitSigned({ repository: join(folder, 'none'), searchPath: path, message: 'x', files: {} }),
    ).rejects.toMatchObject({ code: 'policy-unavailable' })
  })
})

describe('a working tree', () => {
  const working = { kind: 'working-tree' } as const

  test('follows its branch', async () => {
    const { path, git, commit } = await repository(working)
    await commit({ files: { 'a/b': 'one', c: 'c' } })
    await commit({ files: { 'a/b': 'two', c: null } })
    expect(readFileSync(join(path, 'a/b'), 'utf8')).toBe('two')
    expect(existsSync(join(path, 'c'))).toBe(false)
    expect(git('status', '--porcelain')).toBe('')
  })

  test('stays where another branch moves', async () => {
    const { path, git, commit } = await repository(working)
    await commit({ files: { a: 'one' } })
    await commit({ files: { a: 'two' }, branch: 'side' })
    expect(readFileSync(join(path, 'a'), 'utf8')).toBe('one')
    expect(git('status', '--porcelain')).toBe('')
  })

  test.each<[string, string]>([
    ['changed and did not commit', 'a'],
    ['made and did not add', 'new'],
  ])('keeps what somebody %s: nothing moves', async (_, file) => {
    const { path, git, commit } = await repository(working)
    const first = await commit({ files: { a: 'one' } })
    writeFileSync(join(path, file), 'mine')
    await expect(commit({ files: { [file]: 'theirs' } })).rejects.toMatchObject({
      message: expect.stringMatching(/would be overwritten|not uptodate/),
    })
    expect(readFileSync(join(path, file), 'utf8')).toBe('mine')
    expect(git('rev-parse', 'HEAD')).toBe(first)
  })
})
