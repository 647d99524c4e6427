/** A mirror follows one branch of a remote, over the file system and over HTTP, with real git at both ends. */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { faultOf, folder, mirrorOf, repositoryWith, serverOf } from '../git/mirrors.ts'
import { BOT, manifest, type PolicyRepository } from '../git/policy-repository.ts'

const texts = (files: readonly { path: string; bytes: Uint8Array }[]) =>
  Object.fromEntries(files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString()]))

const transports: readonly (readonly [
  string,
  (repository: PolicyRepository) => Promise<string>,
])[] = [
  ['a folder', async ({ path }) => path],
  ['file://', async ({ path }) => `file://${path}`],
  ['HTTP', async (repository) => (await serverOf(repository)).address],
]

describe.each(transports)('over %s', (_, addressOf) => {
  test.each(['sha1', 'sha256'] as const)(
    'the branch is fetched and followed, with %s',
    async (format) => {
      const repository = await repositoryWith({ a: '1' }, format)
      const mirror = await mirrorOf({ remote: await addressOf(repository) })
      expect(await mirror.fetch()).toBe(repository.first)
      expect(texts(await mirror.filesOf(repository.first))).toEqual({ a: '1' })
      const next = await repository.commit({ files: { b: '2' } })
      expect(await mirror.holds(next)).toBe(false)
      expect(await mirror.fetch()).toBe(next)
      expect(await mirror.fetch()).toBe(next)
      expect(texts(await mirror.filesOf(next))).toEqual({ a: '1', b: '2' })
      expect(await mirror.firstParents(repository.first, next)).toEqual([next])
      expect(await mirror.changedPaths(repository.first, next)).toEqual(['b'])
    },
  )

  test('back and aside too: whether that is allowed is not for the mirror to say', async () => {
    const repository = await repositoryWith({ a: '1' })
    const mirror = await mirrorOf({ remote: await addressOf(repository) })
    const next = await repository.commit({ files: { b: '2' } })
    await mirror.fetch()
    repository.point(repository.first)
    expect(await mirror.fetch()).toBe(repository.first)
    const aside = await repository.commit({ files: { c: '3' }, parents: [] })
    expect(await mirror.fetch()).toBe(aside)
    expect(await mirror.firstParents(next, aside)).toBeUndefined()
    expect(await mirror.holds(next)).toBe(true)
  })

  test('nothing else of the remote comes along', async () => {
    const repository = await repositoryWith({ a: '1' })
    const other = await repository.commit({ files: { b: '2' }, branch: 'other' })
    repository.git('tag', '--annotate', '--message', 'x', 'v1', repository.first)
    repository.git('replace', repository.first, other)
    repository.git('update-ref', 'refs/notes/commits', other)
    const directory = folder()
    const mirror = await mirrorOf({ remote: await addressOf(repository), directory })
    await mirror.fetch()
    expect(await mirror.holds(other)).toBe(false)
    expect(readdirSync(join(directory, 'sha1.git/refs'), { recursive: true }).toSorted()).toEqual([
      'vouchsafe',
      'vouchsafe/candidate',
    ])
    expect(texts(await mirror.filesOf(repository.first))).toEqual({ a: '1' })
  })

  test('a branch that only ends like the wanted one is not taken for it', async () => {
    const repository = await repositoryWith({ a: '1' })
    const other = await repository.commit({ files: { b: '2' }, branch: 'other' })
    repository.git('update-ref', 'refs/heads/a/refs/heads/main', other)
    const remote = await addressOf(repository)
    expect(await (await mirrorOf({ remote })).fetch()).toBe(repository.first)
    repository.git('update-ref', '-d', 'refs/heads/main')
    expect(await faultOf((await mirrorOf({ remote })).fetch())).toContain('has no branch main')
  })

  test('a branch whose name has slashes is as good as any', async () => {
    const repository = await repositoryWith({ a: '1' })
    const next = await repository.commit({ files: { b: '2' }, branch: 'release/v1.2' })
    const mirror = await mirrorOf({ remote: await addressOf(repository), branch: 'release/v1.2' })
    expect(await mirror.fetch()).toBe(next)
  })

  test.each(['tag', 'tree', 'blob'])(
    'a branch that names a %s is refused, at every look',
    async (kind) => {
      const repository = await repositoryWith({ a: '1' })
      const mirror = await mirrorOf({ remote: await addressOf(repository) })
      await mirror.fetch()
      repository.git('tag', '--annotate', '--message', 'x', 'v1', repository.first)
      const object = { tag: 'refs/tags/v1', tree: 'main^{tree}', blob: 'main:a' }[kind] ?? ''
      // Git itself would refuse to.
      writeFileSync(
        join(repository.path, 'refs/heads/main'),
        `${repository.git('rev-parse', object)}\n`,
      )
      for (let look = 0; look < 2; look++)
        expect(await faultOf(mirror.fetch())).toContain(`is a ${kind} and no commit`)
      repository.point(repository.first)
      expect(await mirror.fetch()).toBe(repository.first)
    },
  )

  test('a repository without a commit says so, and serves when it has one', async () => {
    const repository = await repositoryWith({})
    const mirror = await mirrorOf({ remote: await addressOf(repository) })
    expect(await faultOf(mirror.fetch())).toContain('has no branch main: push it')
    const first = await repository.commit({ files: { a: '1' } })
    expect(await mirror.fetch()).toBe(first)
  })
})

test('before the first fetch there is nothing, and asking is no accident', async () => {
  const { path, first } = await repositoryWith({ a: '1' })
  const mirror = await mirrorOf({ remote: path })
  expect(await mirror.lastKept()).toBeUndefined()
  expect(await mirror.holds(first)).toBe(false)
  expect(await faultOf(mirror.filesOf(first))).toContain('has not been fetched yet')
  expect(await faultOf(mirror.keepAccepted(first))).toContain('cannot be kept')
})

test('a folder that cannot be used is a fault that names it', async () => {
  const { path } = await repositoryWith({ a: '1' })
  const directory = folder()
  writeFileSync(join(directory, 'file'), '')
  writeFileSync(join(directory, 'sha1.git'), '')
  const told = `the mirror in ${directory}`
  expect(await faultOf((await mirrorOf({ remote: path, directory })).fetch())).toContain(told)
  const below = join(directory, 'file')
  expect(await faultOf(mirrorOf({ remote: path, directory: below }))).toContain(
    `in ${below} cannot`,
  )
})

test('what was fetched and kept is there again after a restart, and without the remote', async () => {
  const repository = await repositoryWith({ a: '1' })
  const directory = folder()
  const before = await mirrorOf({ remote: repository.path, directory })
  await before.fetch()
  await before.keepAccepted(repository.first)
  repository.remove()
  const after = await mirrorOf({ remote: repository.path, directory })
  expect(await after.lastKept()).toBe(repository.first)
  expect(texts(await after.filesOf(repository.first))).toEqual({ a: '1' })
  expect(await faultOf(after.fetch())).toContain('check the address')
  expect(await after.lastKept()).toBe(repository.first)
})

test('a remote that changes its object format is followed, and what was kept stays', async () => {
  const old = await repositoryWith({ a: '1' })
  const directory = folder()
  const before = await mirrorOf({ remote: old.path, directory })
  await before.fetch()
  await before.keepAccepted(old.first)
  const converted = await repositoryWith({ a: '1' }, 'sha256')
  const after = await mirrorOf({ remote: converted.path, directory })
  expect(await after.fetch()).toBe(converted.first)
  expect(await after.lastKept()).toBe(old.first)
  expect(texts(await after.filesOf(old.first))).toEqual({ a: '1' })
  expect(await after.firstParents(old.first, converted.first)).toBeUndefined()
  await after.keepAccepted(converted.first)
  expect(await after.lastKept()).toBe(converted.first)
})

test('a working tree’s folder is read at its branch, whatever lies in the tree', async () => {
  const { path, first, git } = await repositoryWith({ a: '1' })
  const work = join(folder(), 'work')
  git('clone', '--quiet', path, work)
  const mirror = await mirrorOf({ remote: work })
  expect(await mirror.fetch()).toBe(first)
})

test('a remote whose history was cut off is refused', async () => {
  const { path, commit, git } = await repositoryWith({ a: '1' })
  await commit({ files: { a: '2' } })
  const shallow = join(folder(), 'shallow')
  git('clone', '--quiet', '--depth=1', `file://${path}`, shallow)
  const mirror = await mirrorOf({ remote: shallow })
  expect(await faultOf(mirror.fetch())).toContain('is a shallow clone')
})

test('no change costs two requests over HTTP, and no write', async () => {
  const repository = await repositoryWith({ a: '1' })
  const server = await serverOf(repository)
  const directory = folder()
  const mirror = await mirrorOf({ remote: server.address, directory })
  await mirror.fetch()
  const before = server.requests.length
  const listing = readdirSync(directory, { recursive: true })
  await mirror.fetch()
  // The capabilities of protocol version 2, and the one ref.
  expect(server.requests.slice(before).map((line) => line.split('/').at(-1))).toEqual([
    'refs?service=git-upload-pack',
    'git-upload-pack',
  ])
  expect(readdirSync(directory, { recursive: true })).toEqual(listing)
})

test('fetches that overlap are one after another, and agree', async () => {
  const repository = await repositoryWith({ a: '1' })
  const mirror = await mirrorOf({ remote: repository.path })
  const results = await Promise.all([mirror.fetch(), mirror.fetch(), mirror.fetch()])
  expect(new Set(results)).toEqual(new Set([repository.first]))
})

test.runIf(process.getuid?.() === 0)(
  'a folder of another user is read, since the operator named it',
  async () => {
    const repository = await repositoryWith({ a: '1' })
    const other = 65_533
    for (const name of ['', ...readdirSync(repository.path, { recursive: true, encoding: 'utf8' })])
      chownSync(join(repository.path, name), other, other)
    const mirror = await mirrorOf({ remote: repository.path })
    expect(await mirror.fetch()).toBe(repository.first)
  },
)

test('nothing that a folder’s configuration names is started', async () => {
  const repository = await repositoryWith({ a: '1' })
  const proof = join(folder(), 'ran')
  const hooks = join(repository.path, 'hooks')
  mkdirSync(hooks, { recursive: true })
  const script = `touch ${proof}; exit 1;`
  for (const hook of ['post-checkout', 'reference-transaction', 'pre-receive', 'post-update']) {
    writeFileSync(join(hooks, hook), `#!/bin/sh\n${script}\n`)
    chmodSync(join(hooks, hook), 0o755)
  }
  for (const key of [
    'core.fsmonitor',
    'core.sshCommand',
    'core.gitProxy',
    'core.alternateRefsCommand',
    'uploadpack.packObjectsHook',
    'credential.helper',
  ])
    repository.git('config', key, script)
  const mirror = await mirrorOf({ remote: repository.path })
  expect(await mirror.fetch()).toBe(repository.first)
  expect(existsSync(proof)).toBe(false)
})

test('ten thousand files come across and are read', { timeout: 60_000 }, async () => {
  const agents = Array.from({ length: 10_000 }, (_, n) => `bot-${n}`)
  const repository = await repositoryWith(
    Object.fromEntries(agents.map((agent) => [`agents/prod/${agent}.yaml`, manifest({ agent })])),
  )
  const mirror = await mirrorOf({ remote: repository.path })
  const files = await mirror.filesOf(await mirror.fetch())
  expect(files).toHaveLength(10_000)
  const changed = BOT.replace('invoice-bot', 'bot-7')
  const next = await repository.commit({ files: { [changed]: 'x' } })
  expect(await mirror.changedPaths(repository.first, await mirror.fetch())).toEqual([changed])
  const known = new Set(files.map(({ bytes }) => bytes))
  const others = (await mirror.filesOf(next)).filter(({ bytes }) => !known.has(bytes))
  expect(others.map(({ path }) => path)).toEqual([changed])
})
