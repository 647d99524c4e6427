/** Fields that several kinds of document share. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { duration, principal, unique } from '#src/policy/documents/document-fields.ts'
import { principalMistake } from '#src/policy/signatures/principal.ts'

describe('a duration', () => {
  const field = duration({ least: '90s', most: '30d' })
  test.each([
    ['90s', 90],
    ['15m', 900],
    ['24h', 86_400],
    ['30d', 2_592_000],
    ['720h', 2_592_000],
  ])('%s is %i seconds', (text, seconds) => expect(field.parse(text)).toBe(seconds))

  test.each([
    ['89s', 'must be at least 90s'],
    ['1m', 'must be at least 90s'],
    ['31d', 'must be at most 30d'],
    ['721h', 'must be at most 30d'],
    ['90', 'must be whole seconds'],
    ['0s', 'must be whole seconds'],
    ['090s', 'must be whole seconds'],
    ['1.5h', 'must be whole seconds'],
    ['-1h', 'must be whole seconds'],
    ['1h30m', 'must be whole seconds'],
    ['1w', 'must be whole seconds'],
    ['9999999d', 'must be whole seconds'],
    [' 90s', 'must be whole seconds'],
    [90, 'must be text'],
  ])('%j is refused', (text, says) =>
    expect(field.safeParse(text).error?.issues[0]?.message).toContain(says),
  )
})

test('a principal is called here as in trust/allowed_signers', () => {
  const agrees = (name: string) => {
    expect([name, principal.safeParse(name).success]).toEqual([
      name,
      principalMistake(name) === undefined,
    ])
  }
  for (const name of [
    'alice',
    'a@b.example',
    '_ci',
    '-x',
    '.x',
    '',
    'a b',
    'a*',
    'a'.repeat(128),
    'a'.repeat(129),
  ])
    agrees(name)
  fc.assert(fc.property(fc.stringMatching(/^[A-Za-z0-9._+@ *!,/-]{0,6}$/), agrees))
})

describe('no value twice', () => {
  test.each([
    [['a', 'b'], []],
    [['a', 'b', 'a'], [[2]]],
    [
      ['a', 'a', 'a'],
      [[1], [2]],
    ],
  ])('among %j', (list, paths) =>
    expect(
      unique(z.array(z.string()))
        .safeParse(list)
        .error?.issues.map(({ path }) => path) ?? [],
    ).toEqual(paths),
  )
})
