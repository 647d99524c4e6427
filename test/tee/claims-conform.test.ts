/** Operators' rules are checked against the claim schemas, so every claim of every authentic evidence must be as they say. */
import { describe, expect, test } from 'vitest'
import type { ClaimSchema, Claims, ClaimType, ClaimValue } from '#src/rats/tee.ts'
import { tees } from '#src/tee/registry.ts'
import { judgeOf, quotes, reports } from '../mutations/recorded-evidence.ts'
import { advice, hasRecorded } from '../recorded.ts'
import { appraiseFixture, fixtures } from '../vectors/fixture.ts'

const fits: Readonly<Record<ClaimType, (value: ClaimValue) => boolean>> = {
  string: (value) => typeof value === 'string',
  'string?': (value) => value === null || typeof value === 'string',
  int: (value) => Number.isSafeInteger(value),
  'int?': (value) => value === null || Number.isSafeInteger(value),
  bool: (value) => typeof value === 'boolean',
  'bool?': (value) => value === null || typeof value === 'boolean',
  'list<string>': (value) =>
    Array.isArray(value) && value.every((each) => typeof each === 'string'),
  hidden: (value) => value !== undefined,
}

/** Paths of claims that are missing, unknown or of another type. */
function misfits(claims: Claims, schema: ClaimSchema, under = ''): readonly string[] {
  const names = new Set([...Object.keys(claims), ...Object.keys(schema)])
  return [...names].flatMap((name) => {
    const path = `${under}${name}`
    const value = claims[name]
    const type = schema[name]
    if (value === undefined || type === undefined) return [`${path} is in one of them only`]
    if (typeof type === 'string') return fits[type](value) ? [] : [`${path} is no ${type}`]
    return isObject(value) ? misfits(value, type, `${path}.`) : [`${path} is no object`]
  })
}

function isObject(value: ClaimValue): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

describe.each(tees)('$name', (tee) => {
  const authentic = fixtures
    .filter((fixture) => fixture.tee === tee)
    .map((fixture) => ({ name: fixture.name, claims: appraiseFixture(fixture).claims }))
    .filter(({ claims }) => Object.keys(claims).length > 0)

  test('has authentic fixtures', () => expect(authentic.length).toBeGreaterThan(5))

  test('claims of every fixture are of their types', () =>
    expect(
      authentic.map(({ name, claims }) => [name, ...misfits(claims, tee.claimSchema)]),
    ).toEqual(authentic.map(({ name }) => [name])))

  test('what differs with every quote is hidden from rules', () =>
    expect(tee.claimSchema.reportData).toBe('hidden'))
})

describe.each([...reports, ...quotes])('$name', (recorded) => {
  test.skipIf(!hasRecorded(...recorded.files))(
    `has claims of the types that its schema names (needs recorded evidence; ${advice})`,
    () => {
      const { claims } = judgeOf(recorded)()
      expect(Object.keys(claims)).not.toEqual([])
      expect(misfits(claims, recorded.tee.claimSchema)).toEqual([])
    },
  )
})

test.each<[string, Claims, readonly string[]]>([
  ['a number for a text', { a: 1, b: { c: true }, d: [] }, ['a is no string']],
  ['a fraction', { a: '', b: { c: 1.5 }, d: [] }, ['b.c is no bool?']],
  ['a claim less', { b: { c: null }, d: [] }, ['a is in one of them only']],
  ['a claim more', { a: '', b: { c: true, e: 1 }, d: [] }, ['b.e is in one of them only']],
  ['null for an object', { a: '', b: null, d: [] }, ['b is no object']],
  ['a list of other things', { a: '', b: { c: null }, d: [1] }, ['d is no list<string>']],
])('this test notices %s', (_, claims, said) =>
  expect(misfits(claims, { a: 'string', b: { c: 'bool?' }, d: 'list<string>' })).toEqual(said),
)
