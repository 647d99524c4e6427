/** RFC 8785 for flat objects of strings: the RFC's own vectors, and what is refused. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from '#src/rats/canonical-json.ts'

const text = (object: Readonly<Record<string, string>>) =>
  new TextDecoder().decode(canonicalJson(object))

describe('RFC 8785', () => {
  test('section 3.2.3: names are sorted by UTF-16 code units and not by code point', () =>
    expect(
      text({
        '\u20ac': 'Euro Sign',
        '\r': 'Carriage Return',
        '\ufb33': 'Hebrew Letter Dalet With Dagesh',
        '1': 'One',
        '\ud83d\ude00': 'Emoji: Grinning Face',
        '\u0080': 'Control',
        '\u00f6': 'Latin Small Letter O With Diaeresis',
      }),
    ).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis","\u20ac":"Euro Sign","\ud83d\ude00":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    ))

  test('section 3.2.2.2: only what must be escaped is, in the short form where there is one', () =>
    expect(text({ string: '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/\u007f' })).toBe(
      '{"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f"}',
    ))

  test('the empty object is two bytes', () => expect(canonicalJson({}).length).toBe(2))

  test('it is UTF-8', () =>
    expect(Buffer.from(canonicalJson({ a: 'é' })).toString('hex')).toBe('7b2261223a22c3a9227d'))
})

describe('RFC 8785 section 3.2.2.2, written out', () => {
  const short: Readonly<Record<string, string>> = {
    '\b': '\\b',
    '\t': '\\t',
    '\n': '\\n',
    '\f': '\\f',
    '\r': '\\r',
    '"': '\\"',
    '\\': '\\\\',
  }
  const escaped = (unit: string) =>
    short[unit] ?? (unit < ' ' ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}` : unit)
  const quoted = (string: string) => `"${string.split('').map(escaped).join('')}"`
  /** Where an escape begins and ends, what other writers of JSON escape besides, and halves of a pair. */
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0x22 }).map((code) => String.fromCharCode(code)),
    fc.constantFrom(
      ...'\\/[]^~\u007f\u0080\u00ff\u2028\u2029\ud83d\ude00\ud7ff\ue000\uffff'.split(''),
    ),
  )
  const string = fc.string({ unit, maxLength: 12 })

  test('holds for every string, and a lone surrogate is in none', () =>
    fc.assert(
      fc.property(string, string, (name, value) => {
        if (!name.isWellFormed() || !value.isWellFormed())
          expect(() => canonicalJson({ [name]: value })).toThrow('surrogate')
        else expect(text({ [name]: value })).toBe(`{${quoted(name)}:${quoted(value)}}`)
      }),
      { numRuns: 1000 },
    ))
})

describe('two ways to write one object give one text', () => {
  test('whatever the order of its names', () =>
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })),
        (object) => {
          const reversed = Object.fromEntries(Object.entries(object).toReversed())
          expect(text(reversed)).toBe(text(object))
          expect(JSON.parse(text(object))).toEqual(object)
        },
      ),
    ))
})

describe('what is not a flat object of Unicode strings is refused', () => {
  // Each is what a caller that escaped the type checker could hand over.
  test.each([
    ['a number', { a: 1 }],
    ['null', { a: null }],
    ['a nested object', { a: {} }],
    ['a list', { a: ['b'] }],
    ['undefined', { a: undefined }],
  ])('%s', (_, object) =>
    expect(() => canonicalJson(object as unknown as Record<string, string>)).toThrow(TypeError),
  )

  test.each([
    ['value', { a: '\ud800' }],
    ['name', { '\udc00': 'a' }],
  ])('a lone surrogate in a %s', (_, object) =>
    expect(() => canonicalJson(object)).toThrow('surrogate'),
  )
})
