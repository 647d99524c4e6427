/** Commits, changes and files out of real repositories; git itself is the judge where it can be. */
import { describe, expect, test } from 'vitest'
import { seededChance } from '../../fixtures/seeded.ts'
import { BOT } from '../git/policy-repository.ts'
import { faultOf, historyOf, repositoryWith } from './git-scene.ts'

describe.each(['sha1', 'sha256'] as const)('with object names of %s', (objectFormat) => {
  test('first parents come oldest first, and a merged branch is none of them', async () => {
    const repository = await repositoryWith(undefined, objectFormat)
    const a = await repository.commit({ files: { a: '1' } })
    const side = await repository.commit({ files: { b: '1' }, parents: [a], branch: 'side' })
    const merge = await repository.commit({ files: { c: '1' }, parents: [a, side] })
    const history = historyOf(repository)
    expect(await history.firstParents(undefined, merge)).toEqual([repository.first, a, merge])
    expect(await history.firstParents(a, merge)).toEqual([merge])
    expect(await history.firstParents(merge, merge)).toEqual([])
    // An ancestor, but not by first parents.
    expect(await history.firstParents(side, merge)).toBeUndefined()
    expect(await history.firstParents(merge, a)).toBeUndefined()
  })

  test('a commit is the very bytes that were signed', async () => {
    const repository = await repositoryWith(undefined, objectFormat)
    const bytes = await historyOf(repository).commitObject(repository.first)
    expect(`${repository.git('cat-file', 'commit', repository.first)}\n`).toBe(
      Buffer.from(bytes).toString('utf8'),
    )
  })

  test('files are those of that commit, in Git’s order, whatever is newer', async () => {
    const content = {
      'a/b': 'one',
      'a.b': 'two',
      'a-b': 'three',
      'ein "ä" \u{1f600}': '',
      z: '\0\n\xff',
    }
    const repository = await repositoryWith(content, objectFormat)
    await repository.commit({ files: { 'a/b': 'newer' } })
    const files = await historyOf(repository).filesOf(repository.first)
    expect(files.map(({ path }) => path)).toEqual(
      repository
        .git('ls-tree', '-r', '-z', '--name-only', repository.first)
        .split('\0')
        .slice(0, -1),
    )
    for (const { path, bytes } of files)
      expect(Buffer.from(bytes)).toEqual(Buffer.from(content[path as keyof typeof content]))
  })
})

test('the beginning of a SHA-256 name is not taken for a SHA-1 name', async () => {
  const repository = await repositoryWith(undefined, 'sha256')
  expect(await faultOf(historyOf(repository).filesOf(repository.first.slice(0, 40)))).toContain(
    'has no commit',
  )
})

describe('changed paths', () => {
  const start = { 'f/a': 'a', 'f/b': 'b', same: 's' }

  test.each<[string, Readonly<Record<string, string | null>>, readonly string[]]>([
    ['an added file', { 'f/new': 'x' }, ['f/new']],
    ['a changed one', { 'f/a': 'x' }, ['f/a']],
    ['a deleted one', { 'f/a': null }, ['f/a']],
    ['a moved one, twice', { 'f/a': null, 'g/a': 'a' }, ['f/a', 'g/a']],
    ['a file in a folder’s place', { f: 'x' }, ['f', 'f/a', 'f/b']],
    ['nothing', {}, []],
  ])('%s, and the way back', async (_, files, expected) => {
    const repository = await repositoryWith(start)
    const after = await repository.commit({ files })
    const history = historyOf(repository)
    const forth = await history.changedPaths(repository.first, after)
    const back = await history.changedPaths(after, repository.first)
    expect([forth.toSorted(), back.toSorted()]).toEqual([expected, expected])
  })

  test.each(['100755', '120000'])('a file of the same content, but of mode %s', async (mode) => {
    const repository = await repositoryWith({ a: 'a', b: 'b' })
    const listing = repository.git('ls-tree', repository.first).replace('100644', mode)
    const tree = repository.gitWith(`${listing}\n`, 'mktree')
    const after = await repository.commit({ tree })
    expect(await historyOf(repository).changedPaths(repository.first, after)).toEqual(['a'])
  })

  test('against nothing: all files', async () => {
    const repository = await repositoryWith({ 'f/a': 'a', 'f/g/b': 'b', c: 'c' })
    const paths = await historyOf(repository).changedPaths(undefined, repository.first)
    expect([...paths].toSorted()).toEqual(['c', 'f/a', 'f/g/b'])
  })

  test('are what git diff-tree says, in thirty random changes', async () => {
    const repository = await repositoryWith({ start: '' })
    const chance = seededChance('changed paths')
    const history = historyOf(repository)
    let before = repository.first
    for (let round = 0; round < 30; round++) {
      const octets = chance.bytes(`round ${round}`, 12)
      const files = Object.fromEntries(
        Array.from({ length: 4 }, (_, at) => {
          const [a = 0, b = 0, c = 0] = octets.subarray(3 * at)
          return [`${a % 3}/${b % 4}/${at}`, c % 3 === 0 ? null : `${c}`]
        }),
      )
      const after = await repository.commit({ files })
      const told = repository.git('diff-tree', '-r', '--no-renames', '--name-only', before, after)
      expect([...(await history.changedPaths(before, after))].toSorted()).toEqual(
        told.split('\n').filter(Boolean).toSorted(),
      )
      before = after
    }
  })
})

test('only what is asked for is read, and what is beside it harms nothing', async () => {
  const repository = await repositoryWith({
    'trust/root.yaml': 'r',
    'trust/openpgp/bob.asc': 'k',
    'trusted/x': 'x',
    'heartbeat.yaml': 'h',
    'heartbeat.yaml.old/x': 'x',
    big: new Uint8Array(1024 * 1024 + 1),
  })
  const files = await historyOf(repository).filesOf(repository.first, ['trust/', 'heartbeat.yaml'])
  expect(files.map(({ path }) => path)).toEqual([
    'heartbeat.yaml',
    'trust/openpgp/bob.asc',
    'trust/root.yaml',
  ])
  expect(await historyOf(repository).filesOf(repository.first, ['revoked/'])).toEqual([])
})

test('a file that did not change is the same array, and one that did is another', async () => {
  const repository = await repositoryWith({ [BOT]: 'a', same: 's' })
  const history = historyOf(repository)
  const before = await history.filesOf(repository.first)
  const after = await history.filesOf(await repository.commit({ files: { [BOT]: 'b' } }))
  expect(before.map(({ bytes }, at) => bytes === after[at]?.bytes)).toEqual([false, true])
})
