/** Generations never go down: not by a revert, not by deleting and adding again, and rules, revocations and trust must rise. */
import { describe, expect, test } from 'vitest'
import { declaredGeneration, keepsMark } from '#src/policy/acceptance/generations.ts'
import { approval, BOT, bob, defaultFiles, manifest, rootYaml } from '../git/policy-repository.ts'
import { accepted, refused, revokedYaml, rulesYaml, scene } from './judging.ts'

const RULES = 'rules/base.yaml'
const LIST = 'revoked/list.yaml'
const files = { ...defaultFiles, [RULES]: rulesYaml(5), [LIST]: revokedYaml(5, {}) }

describe('after 5 was accepted', () => {
  const contents: Readonly<Record<string, (generation: number) => string>> = {
    'a manifest': (generation) => manifest({ generation }),
    rules: (generation) => `${rulesYaml(generation)}# changed\n`,
    revocations: (generation) => `${revokedYaml(generation, {})}# changed\n`,
    'the trust root': (generation) => `${rootYaml({ generation })}# changed\n`,
  }
  const paths: Readonly<Record<string, string>> = {
    'a manifest': BOT,
    rules: RULES,
    revocations: LIST,
    'the trust root': 'trust/root.yaml',
  }
  const five = {
    ...files,
    [BOT]: manifest({ generation: 5 }),
    'trust/root.yaml': rootYaml({ generation: 5 }),
  }
  const rows: readonly [string, number, boolean][] = [
    ['a manifest', 4, false],
    ['a manifest', 5, true],
    ['a manifest', 6, true],
    ['rules', 4, false],
    ['rules', 5, false],
    ['rules', 6, true],
    ['revocations', 4, false],
    ['revocations', 5, false],
    ['revocations', 6, true],
    ['the trust root', 4, false],
    ['the trust root', 5, false],
    ['the trust root', 6, true],
  ]
  test.each(rows)('%s of generation %d: %s', async (kind, generation, holds) => {
    const path = paths[kind] ?? ''
    const content = contents[kind]?.(generation) ?? ''
    const { repository, now } = await scene(five)
    const changed = path === BOT ? content.replace('300s', '299s') : content
    const commit = repository.commit({
      files: { [path]: changed, ...approval({ path, content: changed, generation }, bob) },
    })
    if (holds) {
      const { state } = await accepted(now())
      expect(state.marks[path]).toBe(generation)
    } else {
      const refusal = await refused(now(), 'RollbackOrRewrite', path, /Set metadata\.generation to/)
      expect(refusal).toMatchObject({ commit, mistakes: [{ file: path }] })
    }
  })
})

test('a file under trust/ is changed only with a higher generation of the root', async () => {
  const { repository, now } = await scene()
  const one = { path: 'trust/README.md', content: 'hello', generation: 1 }
  repository.commit({ files: { [one.path]: one.content, ...approval(one, bob) } })
  await refused(
    now(),
    'RollbackOrRewrite',
    /trust\/root\.yaml is changed and still has generation 1/,
  )
})

test('deleting and adding again does not start anew', async () => {
  const { repository, now } = await scene()
  const other = { 'agents/prod/other.yaml': manifest({ agent: 'other' }) }
  repository.commit({ files: { ...other, [BOT]: null } })
  const { state } = await accepted(now())
  expect(state.marks[BOT]).toBe(42)
  repository.commit({ files: { [BOT]: manifest({ generation: 41 }) } })
  await refused(now(), 'RollbackOrRewrite', /has generation 41, and 42 was accepted before/)
  await refused(
    now({ start: { kind: 'accepted', state } }),
    'RollbackOrRewrite',
    /has generation 41/,
  )
})

test('deleted rules come back only with a higher generation', async () => {
  const { repository, now } = await scene(files)
  const gone = { path: RULES, content: null, generation: 5 }
  repository.commit({ files: { [RULES]: null, ...approval(gone, bob) } })
  const same = { path: RULES, content: rulesYaml(5), generation: 5 }
  repository.commit({ files: { [RULES]: rulesYaml(5), ...approval(same, bob) } })
  await refused(now(), 'RollbackOrRewrite', /still has generation 5/)
})

test('a generation that was only on the way counts', async () => {
  const { repository, now } = await scene()
  repository.commit({ files: { [BOT]: manifest({ generation: 50 }) } })
  repository.commit({ files: { [BOT]: manifest({ generation: 49 }) } })
  await refused(now(), 'RollbackOrRewrite', /has generation 49, and 50/)
})

test('so does that of a manifest that is broken elsewhere, and none is no generation', async () => {
  const { repository, now } = await scene()
  repository.commit({ files: { [BOT]: `${manifest({ generation: 50 })}x: 1\n` } })
  repository.commit({ files: { [BOT]: 'nothing: [' } })
  repository.commit({ files: { [BOT]: manifest({ generation: 49 }) } })
  await refused(now(), 'RollbackOrRewrite', /has generation 49, and 50/)
})

test('marks of one file do not bind another', async () => {
  const { repository, now } = await scene()
  repository.commit({
    files: { 'agents/dev/invoice-bot.yaml': manifest({ generation: 1 }) },
  })
  await accepted(now())
})

test('marks that the database holds are not read from names that every object has', async () => {
  const { repository, now } = await scene()
  repository.commit({ files: { 'agents/constructor': 'x' } })
  await refused(now(), 'SchemaInvalid', /a manifest is/)
})

test.each<[string, string, number | undefined]>([
  ['a whole number', 'metadata: {generation: 3}', 3],
  ['none', 'metadata: {}', undefined],
  ['text', 'metadata: {generation: "3"}', undefined],
  ['a fraction', 'metadata: {generation: 3.5}', undefined],
  ['below zero', 'metadata: {generation: -3}', undefined],
  ['another spelling', 'metadata: {generation: 0x3}', undefined],
  ['twice', 'metadata: {generation: 3}\nmetadata: {generation: 4}', undefined],
  ['no mapping', '- 1', undefined],
  ['no YAML', '[', undefined],
])('the declared generation of %s', (_, text, expected) => {
  expect(declaredGeneration({ path: 'rules/a.yaml', bytes: Buffer.from(text) })).toBe(expected)
})

test('only documents keep a mark', () => {
  const paths = ['agents/a/b.yaml', 'rules/a.yaml', 'revoked/a.yaml', 'trust/root.yaml']
  expect(paths.every(keepsMark)).toBe(true)
  expect(
    ['README.yaml', 'rules/a.wasm', 'trust/allowed_signers', 'x/rules/a.yaml'].some(keepsMark),
  ).toBe(false)
})
