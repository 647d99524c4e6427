/** Whoever may commit and fills the tree with what is no policy: huge files, links, climbing paths, and ten thousand files. */
import { expect, test } from 'vitest'
import { BOT, defaultFiles, manifest } from '../git/policy-repository.ts'
import { type AttackScene, attackScene, describeAttacks } from './attack-scene.ts'

const newer = { [BOT]: manifest({ generation: 43 }) }

/** A commit by Alice of the tree that the branch has, and these entries. */
async function withEntries(
  { repository }: AttackScene,
  entries: readonly string[],
): Promise<string> {
  const own = repository.git('ls-tree', '-z', 'main').split('\0').slice(0, -1)
  const listing = [...own, ...entries].map((entry) => `${entry}\0`).join('')
  const tree = repository.gitWith(listing, 'mktree', '-z', '--missing')
  return await repository.commit({ tree })
}

/** What was in force still is, and the repository without the attack is accepted. */
async function recovers(
  { repository, accepts, state }: AttackScene,
  before: string,
): Promise<void> {
  expect(state().commit).toBe(before)
  repository.point(before)
  await repository.commit({ files: newer })
  await accepts()
}

describeAttacks('the tree', (transport) => {
  // 100 MB of noise are cut off on their way: test/adapters/git-mirror-hostile.test.ts.
  test('with a blob of 100 MB, of zeros, so that it packs into little', {
    timeout: 60_000,
  }, async () => {
    const scene = await attackScene(transport)
    const before = scene.repository.head()
    await scene.repository.commit({ files: { 'config/blob': Buffer.alloc(100 * 1024 * 1024) } })
    const memory = process.memoryUsage().rss
    await scene.keepsOut(/config\/blob has 104857600 bytes/)
    expect(process.memoryUsage().rss - memory).toBeLessThan(100 * 1024 * 1024)
    await recovers(scene, before)
  })

  test('with a symbolic link', async () => {
    const scene = await attackScene(transport)
    const before = scene.repository.head()
    const target = scene.repository.gitWith('/etc/passwd', 'hash-object', '-w', '--stdin')
    await withEntries(scene, [`120000 blob ${target}\tconfig`])
    await scene.keepsOut(/config.*symbolic link/)
    await recovers(scene, before)
  })

  test('with a symbolic link in place of the trust files', async () => {
    const scene = await attackScene(transport)
    const before = scene.repository.head()
    const { repository } = scene
    const target = repository.gitWith('agents', 'hash-object', '-w', '--stdin')
    const agents = repository.git('rev-parse', 'main:agents')
    const listing = [`120000 blob ${target}\ttrust`, `040000 tree ${agents}\tagents`, ''].join('\0')
    await repository.commit({ tree: repository.gitWith(listing, 'mktree', '-z') })
    await scene.keepsOut()
    await recovers(scene, before)
  })

  test('with a submodule', async () => {
    const scene = await attackScene(transport)
    const before = scene.repository.head()
    await withEntries(scene, [`160000 commit ${'1'.repeat(40)}\tconfig`])
    await scene.keepsOut(/config.*submodule/)
    await recovers(scene, before)
  })

  test('with a path that climbs, hides, or is Git’s own', { timeout: 60_000 }, async () => {
    const scene = await attackScene(transport)
    const before = scene.repository.head()
    const content = scene.repository.git('rev-parse', `main:${BOT}`)
    for (const name of ['..', '.', '.git', '.GIT', '.g\u200cit', 'git~1', 'a\\..\\b']) {
      await withEntries(scene, [`100644 blob ${content}\t${name}`])
      await scene.keepsOut()
      scene.repository.point(before)
    }
    await recovers(scene, before)
  })

  test('with a folder that climbs out of its own to the trust files', async () => {
    const scene = await attackScene(transport)
    const before = scene.repository.head()
    const { repository } = scene
    const trust = repository.git('rev-parse', 'main:trust')
    const climbing = repository.gitWith(`040000 tree ${trust}\t..\0`, 'mktree', '-z')
    await withEntries(scene, [`040000 tree ${climbing}\tconfig`])
    await scene.keepsOut()
    await recovers(scene, before)
  })

  test('with trust files in another case', async () => {
    const scene = await attackScene(transport)
    const before = scene.repository.head()
    await scene.repository.commit({
      files: { 'Trust/root.yaml': defaultFiles['trust/root.yaml'] ?? '' },
    })
    await scene.keepsOut()
    await recovers(scene, before)
  })

  test('of ten thousand files is judged in seconds', { timeout: 60_000 }, async () => {
    const files = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [
        `config/${index % 100}/${index}.json`,
        `{"n": ${index}}`,
      ]),
    )
    const scene = await attackScene(transport)
    await scene.repository.commit({ files })
    const start = performance.now()
    const { state } = await scene.accepts()
    expect(performance.now() - start).toBeLessThan(20_000)
    expect(Object.keys(state.provenance)).toHaveLength(10_003)
    await scene.repository.commit({ files: newer })
    await scene.accepts()
  })

  test('of thirty thousand files is refused', { timeout: 60_000 }, async () => {
    const files = Object.fromEntries(
      Array.from({ length: 30_000 }, (_, index) => [`config/${index % 100}/${index}.json`, '{}']),
    )
    const scene = await attackScene(transport)
    const before = scene.repository.head()
    await scene.repository.commit({ files })
    await scene.keepsOut(/20000|100000/)
    await recovers(scene, before)
  })
})
