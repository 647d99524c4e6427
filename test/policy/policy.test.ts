/** A commit's files as one policy: all or nothing, with a digest of our own. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { mistakeText, type Policy, type PolicyFile, readPolicy } from '#src/policy/policy.ts'
import { valid, waivable } from './manifests.ts'

const file = (path: string, text: string): PolicyFile => ({
  path,
  bytes: new TextEncoder().encode(text),
})
const bot = file('agents/prod/invoice-bot.yaml', valid)
const twin = file('agents/prod/twin.yaml', valid.replace('name: invoice-bot', 'name: twin'))
const readme = file('README.md', 'hello')

function read(files: readonly PolicyFile[], previous?: Policy) {
  return readPolicy(files, { commit: 'c1', waivable, previous })
}

function policyOf(files: readonly PolicyFile[], previous?: Policy): Policy {
  const reading = read(files, previous)
  if (!('policy' in reading)) throw new Error(reading.mistakes.map(mistakeText).join('\n'))
  return reading.policy
}

test('a release is found by environment and agent together', () => {
  const policy = policyOf([bot, twin, readme])
  expect(policy.releaseOf('prod', 'twin')?.agent).toBe('twin')
  expect(policy.releaseOf('dev', 'twin')).toBeUndefined()
  expect(policy.releaseOf('prod/twin', '')).toBeUndefined()
  expect(policy.releaseOf('constructor', '__proto__')).toBeUndefined()
})

describe('the digest', () => {
  test('is written out here: lengths, paths and content digests in order of path', () => {
    const line = ({ path, bytes }: PolicyFile) =>
      `${path.length}:${path}:${createHash('sha256').update(bytes).digest('hex')}\n`
    const expected = createHash('sha256')
      .update(`${line(readme)}${line(bot)}`)
      .digest('hex')
    expect(policyOf([bot, readme]).digest).toBe(`sha256:${expected}`)
  })

  test('does not depend on the order in which files arrive', () =>
    expect(policyOf([twin, readme, bot]).digest).toBe(policyOf([bot, twin, readme]).digest))

  test.each([
    ['content', [bot, file('README.md', 'hello!')]],
    ['a name', [bot, file('READYOU.md', 'hello')]],
    ['a file more', [bot, readme, file('x', '')]],
    ['a file less', [bot]],
  ])('changes with %s', (_, files) =>
    expect(policyOf(files).digest).not.toBe(policyOf([bot, readme]).digest),
  )
})

describe('nothing is accepted', () => {
  test('if one of many manifests is wrong', () => {
    const wrong = file('agents/prod/worse.yaml', 'a: 1\na: 2')
    const reading = read([bot, twin, wrong])
    expect('mistakes' in reading && reading.mistakes.map(mistakeText)).toEqual([
      'agents/prod/worse.yaml:2:1: the key a appears twice',
    ])
  })

  test.each([
    ['there is no manifest at all', [readme]],
    ['a manifest has another suffix', [bot, file('agents/prod/other.yml', valid)]],
    ['the commit is empty', []],
  ])('if %s', (_, files) => expect(read(files)).toHaveProperty('mistakes'))
})

test('a manifest that did not change is not read again, and one that did is', () => {
  const before = policyOf([bot, twin])
  const newer = file(twin.path, new TextDecoder().decode(twin.bytes).replace('42', '43'))
  const after = policyOf([bot, newer], before)
  expect(after.releaseOf('prod', 'invoice-bot')).toBe(before.releaseOf('prod', 'invoice-bot'))
  expect(after.releaseOf('prod', 'twin')?.generation).toBe(43)
})
