/** Where the fast reader reads a text, the library reads the same values in the same places and finds no mistake. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readPlainYaml } from '#src/policy/documents/plain-yaml.ts'
import { readAnyYaml, type YamlDocument } from '#src/policy/documents/yaml-document.ts'
import { valid } from './manifests.ts'
import { heartbeatTerms, root } from './trust-documents.ts'

const LONG = process.env.VOUCHSAFE_LONG === '1'

/** Everything that a reading says: the value, and where each part of it and each name stands. */
function told({ value, placeOf }: YamlDocument): readonly unknown[] {
  const places: unknown[] = []
  const visit = (part: unknown, path: readonly PropertyKey[]) => {
    places.push([path, placeOf(path)])
    if (Array.isArray(part))
      for (const [index, each] of part.entries()) visit(each, [...path, index])
    else if (typeof part === 'object' && part !== null)
      for (const [name, each] of Object.entries(part)) {
        places.push([path, name, placeOf(path, name)])
        visit(each, [...path, name])
      }
    // What is not there stands at the nearest thing that is.
    places.push(placeOf([...path, 'absent'], 'neither'))
  }
  visit(value, [])
  return [value, places]
}

/** Undefined where the fast reader declines; otherwise both readings, which must agree. */
function compared(text: string) {
  const plain = readPlainYaml(text)
  if (!plain) return undefined
  const reading = readAnyYaml(text)
  return {
    plain: told(plain),
    library: 'mistakes' in reading ? reading.mistakes : told(reading.document),
  }
}

/** Whether the fast reader read it, having agreed. */
function agrees(text: string): boolean {
  const both = compared(text)
  if (both) expect({ text, told: both.plain }).toStrictEqual({ text, told: both.library })
  return both !== undefined
}

const rich = `# A comment
apiVersion: vouchsafe.dev/v1alpha1
kind: AgentRelease # another

metadata: {name: bot, version: "1.8.0", generation: 42, notBefore: 2026-01-01T00:00:00Z}
spec:
  referenceValues:
  - id: milan
    tee: sev-snp
    measurement: sha384:${'0a'.repeat(48)}
    minimumTcb: {bootloader: 10, snp: 25}
    guestPolicy: { smt: true, debug: false }
    products: [Genoa, 'Milan', "Turin"]
  -
    id: other
    empty: []
    nothing: {}
    nested: [[1, -2], {a: [x]}]
  waivers:
    - {check: revocation, reason: no list at hand}
  release:
    -   audience: https://kms.example/a?b
        ttl: 300s
        note: null
        words: [7d, 24h, 1.8.0, 0xzz, 1e, .., -x, 2026-01-01, +a, 0o8, e5, NULL, Null, TRUE, True, FALSE, nUll, yes]
`

test('documents as people write them are read by it', () => {
  for (const text of [valid, root, root + heartbeatTerms, rich.replace('?b', '')])
    expect([text, agrees(text)]).toEqual([text, true])
})

describe('declined, for the library to read or refuse', () => {
  test.each([
    ['nothing', ''],
    ['a comment alone', '# a\n'],
    ['a scalar alone', 'a'],
    ['a flow collection alone', '{a: 1}'],
    ['a document marker', '---\na: 1'],
    ['a directive', '%YAML 1.2\n---\na: 1'],
    ['a tab', 'a:\n\tb: 1'],
    ['a carriage return', 'a: 1\r\n'],
    ['a byte order mark', '\ufeffa: 1'],
    ['an umlaut', 'a: ä'],
    ['a duplicate key', 'a: 1\na: 2'],
    ['a duplicate in a flow map', 'a: {b: 1, b: 2}'],
    ['an anchor', 'a: &x 1'],
    ['an alias', 'a: *x'],
    ['a tag', 'a: !!str 1'],
    ['a block scalar', 'a: |\n  b'],
    ['text over two lines', 'a: b\n  c'],
    ['quoted text over two lines', 'a: "b\n  c"'],
    ['an escape', 'a: "\\n"'],
    ['a quote in quotes', "a: 'it''s'"],
    ['a missing value', 'a:'],
    ['a missing value before another', 'a:\nb: 1'],
    ['a missing item', 'a:\n  -\n  - 1'],
    ['a key that is no text', 'true: 1'],
    ['a key that is null', 'null: 1'],
    ['a key that is a number', '1: 1'],
    ['a quoted key', '"a": 1'],
    ['a prototype', '__proto__: {a: 1}'],
    ['a complex key', '? a\n: b'],
    ['hex', 'a: 0x1f'],
    ['octal', 'a: 0o17'],
    ['an exponent', 'a: 1e5'],
    ['a digest that is zero', 'a: 00e12345'],
    ['a leading zero', 'a: 012'],
    ['a fraction', 'a: 1.5'],
    ['minus zero', 'a: -0'],
    ['twenty digits', 'a: 12345678901234567890'],
    ['infinity', 'a: -.inf'],
    ['a fraction without an end', 'a: 5.'],
    ['a sign', 'a: +5'],
    ['no number', 'a: .nan'],
    ['a trailing comma', 'a: [1, ]'],
    ['a flow collection over two lines', 'a: [1,\n  2]'],
    ['a pair in a list', 'a: [b: 1]'],
    ['something after a list', 'a: [1] 2'],
    ['a list in a list on one line', 'a:\n  - - 1'],
    ['a column that fits nothing', 'a:\n    b: 1\n  c: 2'],
    ['a nesting nine deep', `a: ${'['.repeat(9)}1${']'.repeat(9)}`],
    ['an indented document', '  a: 1'],
  ])('%s', (_, text) => expect(readPlainYaml(text)).toBeUndefined())
})

test('all short texts of the characters that matter', { timeout: 300_000 }, () => {
  const alphabet = ['a', 'b', ':', ' ', '-', '\n', '[', ']', '{', '}', ',', '"', '#', '1', '.']
  let read = 0
  const visit = (text: string, left: number) => {
    if (compared(text) && agrees(text)) read++
    if (left > 0) for (const each of alphabet) visit(text + each, left - 1)
  }
  visit('', LONG ? 6 : 5)
  expect(read).toBeGreaterThan(300)
})

/** Pieces that make up lines, right or wrong. */
const piece = fc.constantFrom(
  ...[
    'a: ',
    'b: ',
    'c:',
    '- ',
    '-',
    'x',
    'true',
    'null',
    '12',
    '-3',
    '1.5',
    'sha256:0a',
    '"q"',
    "'s'",
  ],
  ...[
    '[',
    ']',
    '{',
    '}',
    ', ',
    ',',
    ': ',
    ':',
    ' ',
    '  ',
    '\n',
    '\n  ',
    '\n    ',
    '\n- ',
    '\n  - ',
  ],
  ...[
    '# c',
    ' # c',
    '&',
    '*',
    '!',
    '|',
    '>',
    '?',
    '%',
    '@',
    '~',
    '=',
    '/',
    '.',
    '+',
    '_',
    '0',
    'e',
  ],
)

test('texts of random pieces', { timeout: 300_000 }, () => {
  let read = 0
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      if (agrees(`a: ${pieces.join('')}`)) read++
      if (agrees(pieces.join(''))) read++
    }),
    { numRuns: LONG ? 500_000 : 20_000 },
  )
  expect(read).toBeGreaterThan(500)
})

/** One line, character or piece of a document changed. */
const changes = fc.record({
  text: fc.constantFrom(valid, root, rich, rich.replace('?b', '')),
  edits: fc.array(
    fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      remove: fc.nat({ max: 4 }),
      insert: fc.oneof(piece, fc.stringMatching(/^[ -~\n]{0,3}$/)),
    }),
    { minLength: 1, maxLength: 3 },
  ),
})

test('documents with random changes', { timeout: 300_000 }, () => {
  let read = 0
  let declined = 0
  fc.assert(
    fc.property(changes, ({ text, edits }) => {
      const changed = edits.reduce((before, { at, remove, insert }) => {
        const place = Math.floor(at * before.length)
        return before.slice(0, place) + insert + before.slice(place + remove)
      }, text)
      if (agrees(changed)) read++
      else declined++
    }),
    { numRuns: LONG ? 200_000 : 4_000 },
  )
  // Neither always nor never: both would prove nothing.
  expect(read).toBeGreaterThan(300)
  expect(declined).toBeGreaterThan(300)
})

test('64 KiB of anything do not take long', () => {
  const start = performance.now()
  for (const text of [
    'a: '.repeat(20_000),
    '- '.repeat(30_000),
    `a: ${'['.repeat(60_000)}`,
    `a: ${'x '.repeat(30_000)}`,
    `a: ${'x:'.repeat(30_000)}`,
    `a: ${'"'.repeat(60_000)}`,
    `a: [${'1,'.repeat(30_000)}`,
    `a: ${' #'.repeat(30_000)}`,
    `a: x${' '.repeat(60_000)}y`,
    ' '.repeat(65_000),
    '\n'.repeat(65_000),
    Array.from({ length: 8_000 }, (_, n) => `k${n}: 1`).join('\n'),
  ])
    readPlainYaml(text)
  expect(performance.now() - start).toBeLessThan(1_000)
})
