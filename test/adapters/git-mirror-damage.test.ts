/** Killed processes, shared folders and damaged files: a mirror mends itself from the remote, and never forgets silently. */
import { spawn } from 'node:child_process'
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { usualLimits } from '#src/adapters/git-mirror.ts'
import { contentOf, faultOf, folder, mirrorOf, repositoryWith, serverOf } from '../git/mirrors.ts'
import { BOT, manifest } from '../git/policy-repository.ts'

/** With one accepted and one further commit. */
async function scene() {
  const repository = await repositoryWith()
  const directory = folder()
  const mirror = await mirrorOf({ remote: repository.path, directory })
  await mirror.keepAccepted(await mirror.fetch())
  const next = await repository.commit({ files: { [BOT]: manifest({ generation: 43 }) } })
  await mirror.fetch()
  return { repository, directory, next, git: join(directory, 'sha1.git') }
}

const packsOf = (git: string, ending: string) =>
  readdirSync(join(git, 'objects/pack'))
    .filter((name) => name.endsWith(ending))
    .map((name) => join(git, 'objects/pack', name))

describe('what is mended', () => {
  test.each<[string, (git: string) => void]>([
    ['all packs are gone', (git) => rmSync(join(git, 'objects'), { recursive: true })],
    ['packs are cut off', (git) => each(packsOf(git, '.pack'), (file) => truncateSync(file, 40))],
    ['packs are empty', (git) => each(packsOf(git, '.pack'), (file) => truncateSync(file, 0))],
    ['an index is empty', (git) => each(packsOf(git, '.idx'), (file) => truncateSync(file, 0))],
    ['an index is gone', (git) => each(packsOf(git, '.idx'), rmSync)],
    ['packs hold something else', (git) => each(packsOf(git, '.pack'), scramble)],
    ['the configuration is empty', (git) => writeFileSync(join(git, 'config'), '')],
    ['HEAD is gone', (git) => rmSync(join(git, 'HEAD'))],
    [
      'the candidate’s ref is empty',
      (git) => writeFileSync(join(git, 'refs/vouchsafe/candidate'), ''),
    ],
    [
      'a lock was left behind',
      (git) => writeFileSync(join(git, 'refs/vouchsafe/accepted.lock'), ''),
    ],
    ['the index is locked', (git) => writeFileSync(join(git, 'packed-refs.lock'), '')],
    ['the folder is gone', (git) => rmSync(git, { recursive: true })],
  ])('%s', async (_, damage) => {
    const { repository, directory, next, git } = await scene()
    damage(git)
    const mirror = await mirrorOf({ remote: repository.path, directory })
    // A look may notice, the next one has mended it.
    const found = await mirror.fetch().catch(async () => await mirror.fetch())
    expect(found).toBe(next)
    const read = () => mirror.filesOf(next)
    await read().catch(async () => await mirror.fetch())
    expect(await read()).toHaveLength(3)
    expect(await mirror.filesOf(repository.first)).toHaveLength(3)
    expect(await mirror.firstParents(repository.first, next)).toEqual([next])
    const later = await repository.commit({ files: { later: '1' } })
    expect(await mirror.fetch()).toBe(later)
    await mirror.keepAccepted(later)
    expect(await mirror.lastKept()).toBe(later)
  })

  test('while it runs, too', async () => {
    const repository = await repositoryWith()
    const directory = folder()
    const mirror = await mirrorOf({ remote: repository.path, directory })
    await mirror.keepAccepted(await mirror.fetch())
    each(packsOf(join(directory, 'sha1.git'), '.pack'), rmSync)
    // Until the process that has it open is gone.
    await pause(2_200)
    await faultOf(mirror.filesOf(repository.first))
    await mirror.fetch()
    expect(await mirror.filesOf(repository.first)).toHaveLength(3)
  })
})

function each(files: readonly string[], change: (file: string) => void): void {
  expect(files).not.toEqual([])
  for (const file of files) change(file)
}

function scramble(file: string): void {
  const bytes = readFileSync(file)
  rmSync(file)
  writeFileSync(file, bytes.fill(0x55, 30, bytes.length - 20))
}

describe('what was accepted', () => {
  test('is missed aloud, at every look, when the remote has it no more', async () => {
    const { repository, directory, next, git } = await scene()
    const before = await mirrorOf({ remote: repository.path, directory })
    await before.keepAccepted(next)
    repository.point(repository.first)
    rmSync(join(git, 'objects'), { recursive: true })
    const mirror = await mirrorOf({ remote: repository.path, directory })
    for (let look = 0; look < 2; look++)
      expect(await faultOf(mirror.fetch())).toContain('is not on the branch any more')
    expect(await mirror.lastKept()).toBe(next)
    repository.point(next)
    expect(await mirror.fetch()).toBe(next)
    expect(await mirror.filesOf(next)).toHaveLength(3)
  })

  test('is not given up with a damaged pack while the remote lacks it', async () => {
    const { repository, directory, next, git } = await scene()
    const before = await mirrorOf({ remote: repository.path, directory })
    await before.keepAccepted(next)
    repository.point(await repository.commit({ files: { a: '1' }, parents: [repository.first] }))
    // Enough for everything to be fetched anew.
    const [oldest = ''] = packsOf(git, '.pack')
    writeFileSync(join(git, 'refs/vouchsafe/candidate'), '')
    const mirror = await mirrorOf({ remote: repository.path, directory })
    expect(await mirror.fetch()).toBe(repository.head())
    expect(await mirror.filesOf(next)).toHaveLength(3)
    expect(existsSync(oldest)).toBe(true)
  })

  test.each(['', 'nonsense\n', `${'a'.repeat(39)}\n`])(
    'is not forgotten when its ref holds "%s"',
    async (text) => {
      const { repository, directory, git } = await scene()
      writeFileSync(join(git, 'refs/vouchsafe/accepted'), text)
      const mirror = await mirrorOf({ remote: repository.path, directory })
      expect(await faultOf(mirror.lastKept())).toContain('is damaged: it holds no commit')
      expect(await faultOf(mirror.fetch())).toContain('is damaged: it holds no commit')
    },
  )

  test('is found where somebody ran git gc', async () => {
    const { repository, directory, git } = await scene()
    repository.git('--git-dir', git, 'gc', '--quiet', '--prune=now')
    expect(existsSync(join(git, 'refs/vouchsafe/accepted'))).toBe(false)
    const mirror = await mirrorOf({ remote: repository.path, directory })
    expect(await mirror.lastKept()).toBe(repository.first)
    await mirror.keepAccepted(await mirror.fetch())
    expect(await mirror.lastKept()).toBe(repository.head())
  })
})

describe('a process that is killed', () => {
  test('in a fetch leaves the mirror as it was, and its leftover goes when it is old', async () => {
    const repository = await repositoryWith()
    const server = await serverOf(repository)
    const directory = folder()
    const mirror = await mirrorOf({ remote: server.address, directory })
    await mirror.keepAccepted(await mirror.fetch())
    const before = contentOf(directory)

    server.behave({ kind: 'pouring', objects: 100_000 })
    const next = await repository.commit({ files: { a: '1' } })
    const killed = child(server.address, directory)
    while (!leftovers(directory).some((name) => packsIn(join(directory, name)) > 0)) await pause(20)
    killed.kill('SIGKILL')
    await new Promise((closed) => killed.on('close', closed))
    server.behave({ kind: 'honest' })

    const [leftover = ''] = leftovers(directory)
    for (const [name, content] of Object.entries(before))
      expect(readFileSync(join(directory, name), 'latin1')).toBe(content)
    const after = await mirrorOf({ remote: server.address, directory })
    expect(await after.lastKept()).toBe(repository.first)
    expect(await after.fetch()).toBe(next)
    // It might belong to a process that is still at work.
    expect(leftovers(directory)).toEqual([leftover])
    for (const path of [leftover, `${leftover}/objects/pack`])
      utimesSync(join(directory, path), new Date(0), new Date(0))
    await repository.commit({ files: { a: '2' } })
    await after.fetch()
    expect(leftovers(directory)).toEqual([])
  })

  test('leaves scratch files that go when they are old', async () => {
    const { repository, directory, git } = await scene()
    const scratch = ['tmp_pack_a1', '.tmp-7-pack-a1.pack', `pack-${'a'.repeat(40)}.pack`]
    const places = [
      ...scratch.map((name) => join(git, 'objects/pack', name)),
      join(directory, 'draft-1'),
    ]
    for (const place of places) {
      writeFileSync(place, '')
      writeFileSync(`${place}.old.pack`, '')
      utimesSync(`${place}.old.pack`, new Date(0), new Date(0))
    }
    const mirror = await mirrorOf({ remote: repository.path, directory })
    await repository.commit({ files: { a: '1' } })
    await mirror.fetch()
    expect(places.filter((place) => !existsSync(place))).toEqual([])
    expect(places.filter((place) => existsSync(`${place}.old.pack`))).toEqual([])
  })

  test('at any moment leaves a mirror that works', { timeout: 120_000 }, async () => {
    const repository = await repositoryWith()
    const directory = folder()
    for (let round = 0; round < 8; round++) {
      const next = await repository.commit({ files: { round: `${round}` } })
      const killed = child(repository.path, directory)
      const ended = new Promise((closed) => killed.on('close', closed))
      await new Promise((ready) => killed.stdout.once('data', ready))
      await pause(12 * round)
      killed.kill('SIGKILL')
      await ended
      const mirror = await mirrorOf({ remote: repository.path, directory })
      const kept = await mirror.lastKept()
      if (kept !== undefined) expect(await mirror.filesOf(kept)).toBeDefined()
      expect(await mirror.fetch()).toBe(next)
      expect(await mirror.filesOf(next)).toHaveLength(4)
      await mirror.keepAccepted(next)
    }
  })
})

test('two processes on one folder do not hurt each other', { timeout: 120_000 }, async () => {
  const repository = await repositoryWith()
  const directory = folder()
  // Small enough that both sweep all the time.
  const limits = { mostKeptBytes: 1 }
  const other = child(repository.path, directory, 'for ever')
  const complaints: Buffer[] = []
  other.stderr.on('data', (chunk: Buffer) => complaints.push(chunk))
  await new Promise((ready) => other.stdout.once('data', ready))
  const mirror = await mirrorOf({ remote: repository.path, directory, limits })
  for (let round = 0; round < 20; round++) {
    const next = await repository.commit({ files: { round: `${round}` } })
    expect(await mirror.fetch()).toBe(next)
    expect(await mirror.filesOf(next)).toHaveLength(4)
    await mirror.keepAccepted(next)
  }
  other.kill('SIGKILL')
  await new Promise((closed) => other.on('close', closed))
  expect(Buffer.concat(complaints).toString()).toBe('')
  expect(await mirror.firstParents(repository.first, repository.head())).toHaveLength(20)
})

const leftovers = (directory: string) =>
  readdirSync(directory).filter((name) => name.startsWith('incoming-'))
const packsIn = (incoming: string) =>
  existsSync(join(incoming, 'objects/pack'))
    ? readdirSync(join(incoming, 'objects/pack')).length
    : 0

/** Another process with a mirror on the same folder; it says a word when it begins to fetch. */
function child(remote: string, directory: string, howOften: 'once' | 'for ever' = 'once') {
  const script = `
    import { openGitMirror, usualLimits } from ${JSON.stringify(resolve('src/adapters/git-mirror.ts'))}
    const mirror = await openGitMirror({
      remote: ${JSON.stringify(remote)}, branch: 'main', directory: ${JSON.stringify(directory)},
      searchPath: process.env.PATH, limits: { ...usualLimits, mostKeptBytes: ${howOften === 'once' ? usualLimits.mostKeptBytes : 1} },
    })
    console.log('ready')
    do {
      const commit = await mirror.fetch()
      await mirror.filesOf(commit)
      await mirror.keepAccepted(commit)
    } while (${howOften === 'for ever'})
  `
  return spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'pipe' })
}
