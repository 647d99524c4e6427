/** Remotes that send too much, too slowly, something else or nothing: the mirror stays as it was, and nothing goes on running. */
import { randomBytes } from 'node:crypto'
import { chmodSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Behaviour } from '../git/http-backend.ts'
import {
  bytesOf,
  contentOf,
  faultOf,
  folder,
  mirrorOf,
  processesShowing,
  repositoryWith,
  serverOf,
} from '../git/mirrors.ts'
import { BOT } from '../git/policy-repository.ts'

const MiB = 1024 * 1024

describe('a server that', () => {
  test.each<[string, Behaviour, string]>([
    ['is silent', { kind: 'silent' }, 'did not answer within 1500 ms'],
    ['sends a byte now and then', { kind: 'dribbling' }, 'did not answer within 1500 ms'],
    ['breaks off in a pack', { kind: 'truncating', after: 60 }, 'git says:'],
    ['sends a pack of 6 GB', { kind: 'pouring', objects: 100_000 }, 'more than 4194304 bytes'],
    ['announces a pack beyond all memory', { kind: 'pouring', objects: 2 ** 27 }, 'git says:'],
    ['announces a pack beyond all numbers', { kind: 'pouring', objects: 2 ** 32 - 1 }, 'git says:'],
    ['sends a tree of 2 GB', { kind: 'boasting', bytes: 2 ** 31 }, 'Out of memory'],
    ['has lost its mind', { kind: 'answering', status: 500, body: 'oh \u001b[2Jno' }, 'error: 500'],
    ['is another one', { kind: 'answering', status: 200, body: '<html>' }, 'no branch main'],
    ['wants a name', { kind: 'answering', status: 401, body: '' }, 'check the token'],
  ])('%s', async (_, behaviour, told) => {
    const repository = await repositoryWith()
    const server = await serverOf(repository)
    const directory = folder()
    const mirror = await mirrorOf({
      remote: server.address,
      directory,
      // Four MiB take their time.
      limits: {
        timeoutMs: behaviour.kind === 'pouring' ? 20_000 : 1_500,
        mostFetchedBytes: 4 * MiB,
      },
    })
    const first = await mirror.fetch()
    const before = contentOf(directory)

    const next = await repository.commit({ files: { b: '2' } })
    server.behave(behaviour)
    const fault = await faultOf(mirror.fetch())
    expect(fault).toContain(told)
    expect(fault).not.toMatch(/\p{C}/u)
    expect(contentOf(directory)).toEqual(before)
    expect(await mirror.filesOf(first)).toHaveLength(3)
    // Git leaves the transfer to a child, which must not outlive it.
    await pause(100)
    expect(processesShowing(server.address)).toEqual([])

    server.behave({ kind: 'honest' })
    expect(await mirror.fetch()).toBe(next)
  })

  test('sends one on to another is not followed, and the other one learns nothing', async () => {
    const repository = await repositoryWith()
    const [server, other] = [await serverOf(repository), await serverOf(repository)]
    server.behave({ kind: 'redirecting', to: new URL(other.address).origin })
    const mirror = await mirrorOf({ remote: server.address })
    expect(await faultOf(mirror.fetch())).toContain('redirects are not followed')
    expect(other.requests).toEqual([])
  })

  test('sends messages without end', async () => {
    const repository = await repositoryWith()
    const chatty = join(folder(), 'git')
    // In place of git itself: no server of this machine can be made to talk so much.
    writeFileSync(chatty, `#!/bin/sh\nwhile :; do echo ${'x'.repeat(1000)} >&2; done\n`)
    chmodSync(chatty, 0o755)
    const mirror = await mirrorOf({ remote: repository.path, searchPath: dirname(chatty) })
    expect(await faultOf(mirror.fetch())).toContain('more than 256 KiB of messages')
  })

  test('has a hundred thousand branches', async () => {
    const repository = await repositoryWith()
    const lines = Array.from(
      { length: 100_000 },
      (_, n) => `${repository.first} refs/heads/b${n}\n`,
    )
    writeFileSync(join(repository.path, 'packed-refs'), lines.toSorted().join(''))
    const mirror = await mirrorOf({ remote: (await serverOf(repository)).address })
    expect(await mirror.fetch()).toBe(repository.first)
  })

  test('has more branches of that name than anybody needs', async () => {
    const repository = await repositoryWith()
    const lines = Array.from(
      { length: 2_000 },
      (_, n) => `${repository.first} refs/heads/b${n}/refs/heads/main\n`,
    )
    writeFileSync(join(repository.path, 'packed-refs'), lines.toSorted().join(''))
    const mirror = await mirrorOf({ remote: repository.path })
    expect(await faultOf(mirror.fetch())).toContain('git printed more than 65536 bytes')
  })
})

describe('content that', () => {
  test('is 100 MB of noise is cut off on its way', { timeout: 60_000 }, async () => {
    const repository = await repositoryWith()
    const mirrorFolder = folder()
    const mirror = await mirrorOf({ remote: repository.path, directory: mirrorFolder })
    await mirror.fetch()
    const before = contentOf(mirrorFolder)
    repository.git('config', 'core.compression', '0')
    await repository.commit({ files: { big: randomBytes(100 * MiB) } })
    expect(await faultOf(mirror.fetch())).toContain('more than 67108864 bytes at once')
    expect(contentOf(mirrorFolder)).toEqual(before)
  })

  test('is 100 MB of zeros comes across as little, and is refused when it is read', async () => {
    const repository = await repositoryWith()
    const directory = folder()
    const mirror = await mirrorOf({ remote: repository.path, directory })
    const big = await repository.commit({ files: { big: new Uint8Array(100 * MiB) } })
    expect(await mirror.fetch()).toBe(big)
    expect(bytesOf(directory)).toBeLessThan(MiB)
    expect(await faultOf(mirror.filesOf(big))).toContain('big has 104857600 bytes')
    expect(await mirror.filesOf(repository.first)).toHaveLength(3)
  })

  test.each([
    ['climbs', '..'],
    ['is Git’s own folder', '.git'],
    ['is Git’s own folder to Windows', 'GIT~1'],
  ])('lies at a path that %s is refused on its way', async (_, name) => {
    const repository = await repositoryWith()
    const blob = repository.git('rev-parse', `${repository.first}:${BOT}`)
    const inner = repository.gitWith(`100644 blob ${blob}\tx\n`, 'mktree')
    const tree = repository.gitWith(`040000 tree ${inner}\t${name}\n`, 'mktree')
    await repository.commit({ tree })
    const mirror = await mirrorOf({ remote: (await serverOf(repository)).address })
    expect(await faultOf(mirror.fetch())).toMatch(/hasDotdot|hasDotgit/)
  })

  test.each([
    ['120000', 'symbolic link'],
    ['160000', 'submodule'],
  ])('is of mode %s comes across, and is refused as a %s', async (mode, told) => {
    const repository = await repositoryWith()
    const object = mode === '160000' ? repository.first : repository.git('rev-parse', `main:${BOT}`)
    const kind = mode === '160000' ? 'commit' : 'blob'
    const tree = repository.gitWith(`${mode} ${kind} ${object}\tx\n`, 'mktree')
    const commit = await repository.commit({ tree })
    const mirror = await mirrorOf({ remote: (await serverOf(repository)).address })
    expect(await mirror.fetch()).toBe(commit)
    expect(await faultOf(mirror.filesOf(commit))).toContain(`x is a ${told}`)
  })

  test('lacks an object is refused', async () => {
    const repository = await repositoryWith()
    const tree = repository.gitWith(
      `100644 blob ${'1234567890'.repeat(4)}\tmissing\n`,
      'mktree',
      '--missing',
    )
    await repository.commit({ tree })
    const mirror = await mirrorOf({ remote: repository.path })
    expect(await faultOf(mirror.fetch())).toContain('could not be fetched')
    repository.point(repository.first)
    expect(await mirror.fetch()).toBe(repository.first)
  })
})

test('candidates that are refused do not fill the disk, and what was accepted stays', async () => {
  const repository = await repositoryWith()
  const directory = folder()
  const mirror = await mirrorOf({
    remote: repository.path,
    directory,
    limits: { mostKeptBytes: 4 * MiB },
  })
  await mirror.keepAccepted(await mirror.fetch())
  for (let round = 0; round < 10; round++) {
    repository.point(repository.first)
    await repository.commit({ files: { noise: randomBytes(1_000_000) } })
    await mirror.fetch()
    expect(bytesOf(directory)).toBeLessThan(6 * MiB)
  }
  expect(await mirror.filesOf(repository.first)).toHaveLength(3)
  expect(await mirror.lastKept()).toBe(repository.first)
})

test('a hundred accepted changes do not leave a hundred packs', { timeout: 120_000 }, async () => {
  const repository = await repositoryWith()
  const directory = folder()
  const mirror = await mirrorOf({ remote: repository.path, directory })
  for (let round = 0; round < 60; round++) {
    await repository.commit({ files: { round: `${round}` } })
    await mirror.keepAccepted(await mirror.fetch())
  }
  const packs = readdirSync(`${directory}/sha1.git/objects/pack`).filter((name) =>
    /pack$/.test(name),
  )
  expect(packs.length).toBeLessThan(50)
  expect(await mirror.firstParents(repository.first, repository.head())).toHaveLength(60)
})
