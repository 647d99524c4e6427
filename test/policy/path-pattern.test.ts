/** Patterns of the trust root: what they name, and that no path and no pattern takes long. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPathPattern, isRepositoryPath, matchesPath } from '#src/policy/documents/path-pattern.ts'

describe('a pattern names', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['README.md', ['README.md'], ['readme.md', 'docs/README.md', 'README.md/x', 'xREADME.md']],
    ['**', ['a', 'a/b/c', 'trust/root.yaml'], []],
    ['agents/**', ['agents/a', 'agents/prod/a.yaml'], ['agent', 'agentsx/a', 'x/agents/a']],
    ['agents/*', ['agents/a'], ['agents', 'agents/a/b']],
    ['agents/*/bot.yaml', ['agents/prod/bot.yaml'], ['agents/bot.yaml', 'agents/a/b/bot.yaml']],
    ['**/bot.yaml', ['bot.yaml', 'a/b/bot.yaml'], ['a/bot.yaml.sig', 'a/xbot.yaml']],
    ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['a', 'z', 'a/zz', 'ab/z']],
    ['a/**/m/**/z', ['a/m/z', 'a/x/m/y/z', 'a/m/m/z/z'], ['a/z', 'a/mm/z']],
    ['config/*.json', ['config/a.json', 'config/.json'], ['config/a.yaml', 'config/a/b.json']],
    ['a*b*c', ['abc', 'axbxc', 'abcbc', 'aXbbbc'], ['ab', 'ac', 'abcd', 'acb']],
    ['ab*ba', ['abba', 'abxba'], ['aba', 'ab', 'ba']],
    ['a.b', ['a.b'], ['axb']],
    ['a[b]?', ['a[b]?'], ['ab', 'abx']],
  ])('%s', (pattern, names, others) => {
    expect(names.filter((path) => !matchesPath(pattern, path))).toEqual([])
    expect(others.filter((path) => matchesPath(pattern, path))).toEqual([])
  })
})

describe('no pattern, and so no match with anything', () => {
  test.each([
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    './a',
    'a/../b',
    '..',
    'a**',
    '**a',
    'a/***',
    'a\\b',
    'a\nb',
    'a\0',
    'a\u202eb',
    'a'.repeat(256),
    `${'a/'.repeat(32)}a`,
  ])('%j', (pattern) => {
    expect(isPathPattern(pattern)).toBe(false)
    expect(matchesPath(pattern, pattern)).toBe(false)
  })
})

test('a path of the repository has no stars', () => {
  expect(['a', 'config/prod/bot.json', '.gitattributes'].every(isRepositoryPath)).toBe(true)
  expect(['*', 'a/**', 'config/*.json', '../a'].some(isRepositoryPath)).toBe(false)
})

/** The same meaning as a regular expression, which may be slow here: nobody attacks this test. */
function expression(pattern: string): RegExp {
  const segments = pattern
    .split('/')
    .map((segment) =>
      segment === '**'
        ? '(?:/[^/]+)*'
        : `/${segment.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}`,
    )
  return new RegExp(`^${segments.join('')}$`)
}

test('matches as a regular expression of the same meaning would', () => {
  const segment = fc.oneof(
    fc.constantFrom('**', '*', 'a', 'b', 'ab'),
    fc.stringMatching(/^[ab*.]{1,4}$/),
  )
  const name = fc.stringMatching(/^[ab.]{1,4}$/)
  fc.assert(
    fc.property(
      fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/')),
      fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => names.join('/')),
      (pattern, path) => {
        fc.pre(isPathPattern(pattern))
        expect(matchesPath(pattern, path)).toBe(expression(pattern).test(`/${path}`))
      },
    ),
    { numRuns: 3_000 },
  )
})

test.each([
  ['many stars', `${'*a'.repeat(100)}*b`, 'a'.repeat(50_000)],
  ['many double stars', `${'**/'.repeat(31)}b`, `${'a/'.repeat(20_000)}a`],
  ['both', `${'**/*a*/'.repeat(15)}b`, `${'aa/'.repeat(15_000)}a`],
])('%s do not take long', (_, pattern, path) => {
  const start = performance.now()
  expect(matchesPath(pattern, path)).toBe(false)
  expect(performance.now() - start).toBeLessThan(500)
})
