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

test('256 KiB of quotes and backslashes are scanned in well under a second', () => {
  const start = performance.now()
  parseStrictJson(JSON.stringify('\\"'.repeat(64 * 1024)))
  parseStrictJson(JSON.stringify(Array(80_000).fill('')))
  expect(performance.now() - start).toBeLessThan(1000)
})
