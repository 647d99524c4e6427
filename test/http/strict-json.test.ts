/** JSON in which a name stands once: accepts what JSON.parse does, but for duplicates and depth. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseStrictJson } from '#src/http/strict-json.ts'

test('whatever has its names once is read as JSON.parse reads it', () =>
  fc.assert(
    fc.property(fc.json({ maxDepth: 4, noUnicodeString: false }), (text) => {
      fc.pre(!text.includes('__proto__'))
      expect(parseStrictJson(text)).toEqual(JSON.parse(text))
    }),
  ))

test('the same object twice is no duplicate, the same name in one object is', () =>
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 2 }), (name, value) => {
      fc.pre(name !== '__proto__' && !JSON.stringify(value).includes('__proto__'))
      const member = `${JSON.stringify(name)}:${JSON.stringify(value)}`
      expect(parseStrictJson(`[{${member}},{${member}}]`)).toHaveLength(2)
      expect(() => parseStrictJson(`{${member},"x y":1,${member}}`)).toThrow('appears twice')
    }),
  ))

describe('strings are not mistaken for names', () => {
  test.each([
    '["a","a"]',
    '{"a":"a","b":"a"}',
    '{"a":"{\\"b\\":1,\\"b\\":2}"}',
    '{"a\\\\":1,"a":2}',
    '{"\\"":1,"\\\\\\"":2}',
  ])('%s', (text) => expect(parseStrictJson(text)).toEqual(JSON.parse(text)))
})

test.each([
  '{"a":1,"a":1}',
  '{"a":{"b":1,"b":2}}',
  '[{"a":1,"\\u0061":2}]',
  '{"\\\\":1,"\\u005c":2}',
])('%s is refused', (text) => expect(() => parseStrictJson(text)).toThrow('appears twice'))

describe('names are compared as they read, however each of their characters is spelt', () => {
  /** Each UTF-16 unit as itself, where JSON lets it be, or as an escape. Few units, so that names collide. */
  const spelt = fc
    .array(
      fc.tuple(fc.constantFrom(...'ab"\\\n\u0000\u2028\ud83d\ude00'.split('')), fc.boolean()),
      {
        maxLength: 3,
      },
    )
    .map((units) => ({
      name: units.map(([unit]) => unit).join(''),
      text: units
        .map(([unit, isPlain]) =>
          isPlain && !/["\\\p{Cc}]/u.test(unit)
            ? unit
            : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
        )
        .join(''),
    }))

  test('two that read alike are refused, and no others', () =>
    fc.assert(
      fc.property(fc.array(spelt, { maxLength: 6 }), (names) => {
        const text = `{${names.map((each) => `"${each.text}":0`).join(',')}}`
        const isUnique = new Set(names.map(({ name }) => name)).size === names.length
        if (isUnique) expect(parseStrictJson(text)).toEqual(JSON.parse(text))
        else expect(() => parseStrictJson(text)).toThrow('appears twice')
      }),
      { numRuns: 500 },
    ))

  test.each(['{"__proto__":1}', '{"\\u005f_proto__":1}', '[{"a":{"__proto__":{}}}]'])(
    '%s is refused',
    (text) => expect(() => parseStrictJson(text)).toThrow('__proto__'),
  )
})

test('256 KiB of quotes and backslashes are scanned in well under a second', () => {
  const start = performance.now()
  parseStrictJson(JSON.stringify('\\"'.repeat(64 * 1024)))
  parseStrictJson(JSON.stringify(Array(80_000).fill('')))
  expect(performance.now() - start).toBeLessThan(1000)
})
