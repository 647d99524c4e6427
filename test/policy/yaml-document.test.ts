/** YAML's traps are refused, with the place; what is left is plain JSON. */
import { describe, expect, test } from 'vitest'
import { readYaml } from '#src/policy/documents/yaml-document.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

function said(text: string | Uint8Array): readonly string[] {
  const reading = readYaml(typeof text === 'string' ? bytes(text) : text)
  return 'mistakes' in reading
    ? reading.mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`)
    : ['read']
}

const bomb = `a: &a [x,x]\n${[...'bcdefghijkl']
  .map((name, index) => `${name}: &${name} [${`*${'abcdefghijk'[index]},`.repeat(9)}x]`)
  .join('\n')}`

describe('refused', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['a duplicate key', 'a: 1\nb: 2\na: 3', '3:1 the key a appears twice'],
    ['a duplicate in a flow mapping', '{a: 1, b: {c: 1, c: 2}}', '1:18 the key c appears twice'],
    ['an alias', 'a: x\nb: *a', '2:4'],
    ['an anchor', 'a: &x 1', '1:7 anchors are not allowed'],
    ['an anchor on a key', '&x a: 1', 'has an anchor or a tag'],
    ['a tag', 'a: !!binary aaaa', 'tags such as tag:yaml.org,2002:binary are not allowed'],
    ['an unknown tag', 'a: !js x', '1:4'],
    ['a second document', 'a: 1\n---\nb: 2', '2:1'],
    ['another version', '%YAML 1.1\n---\na: yes', 'directives are not allowed'],
    ['a number as key', '1: a', '1:1 a key must be plain text'],
    ['a list as key', '? [a]\n: b', 'a key must be plain text'],
    ['a tab as indentation', 'a:\n\tb: 1', '2:1'],
    ['a bare digest that is a number', 'a: 12345678901234567890', 'put it in quotes'],
    ['an exponent', 'a: 1e5', '1e5 would be read as the number 100000'],
    ['a digest that is zero', 'a: 00e12345', 'would be read as the number 0'],
    ['hex', 'a: 0x1f', 'would be read as the number 31'],
    ['octal', 'a: 0o17', 'would be read as the number 15'],
    ['a leading zero', 'a: 012345', 'would be read as the number 12345'],
    ['infinity', 'a: .inf', 'would be read as the number Infinity'],
    ['a fraction', 'a: 1.50', 'would be read as the number 1.5'],
    ['bytes that are not UTF-8', new Uint8Array([0x61, 0xff]), '1:1 the file is not UTF-8'],
    ['64 KiB and one byte', ' '.repeat(65537), 'at most 65536 are read'],
    ['values nested 17 deep', `${'['.repeat(18)}1${']'.repeat(18)}`, 'more than 16 deep'],
  ])('%s', (_, text, says) => expect(said(text).join('\n')).toContain(says))

  test.each([
    ['an alias bomb', bomb],
    ['60,000 open brackets', '['.repeat(60_000)],
    ['30,000 lists in one another', '- '.repeat(30_000)],
    ['30,000 brackets in balance', `${'['.repeat(30_000)}${']'.repeat(30_000)}`],
    ['5,000 keys, one of them twice', `${keys(5_000)}k17: 1`],
  ])('%s, in under two seconds', (_, text) => {
    const start = performance.now()
    expect(said(text)).not.toEqual(['read'])
    expect(performance.now() - start).toBeLessThan(2_000)
  })
})

test.each([
  ['a duplicate key', '"\\e[2J": 1\n"\\e[2J": 2'],
  ['a tag', 'a: !<\u001b[2J> x'],
  ['an alias', 'a: *\u202ex'],
])('%s with control characters does not reach a terminal', (_, text) => {
  const message = said(text).join()
  expect(message).not.toEqual('read')
  expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
})

test('what is left has its strings, integers, booleans and nulls', () => {
  const reading = readYaml(bytes('a: x\nb: [1, -2, 0]\nc: {d: true, e: null}\nf: "00e1"\ng: no'))
  expect(reading).toMatchObject({
    document: { value: { a: 'x', b: [1, -2, 0], c: { d: true, e: null }, f: '00e1', g: 'no' } },
  })
})

test('__proto__ is a key like any other and no prototype', () => {
  const reading = readYaml(bytes('__proto__: {polluted: true}'))
  if (!('document' in reading)) throw new Error('not read')
  expect(Object.keys(reading.document.value as object)).toEqual(['__proto__'])
  expect({}).not.toHaveProperty('polluted')
})

test('a place is that of the value, of the key when asked for, or of the nearest ancestor', () => {
  const reading = readYaml(bytes('a:\n  - b: 1\n    c: 2\n'))
  if (!('document' in reading)) throw new Error('not read')
  const { placeOf } = reading.document
  expect(placeOf(['a', 0, 'c'])).toEqual({ line: 3, column: 8 })
  expect(placeOf(['a', 0], 'c')).toEqual({ line: 3, column: 5 })
  expect(placeOf(['a', 0, 'missing', 'deeper'])).toEqual({ line: 2, column: 5 })
})

function keys(count: number): string {
  return Array.from({ length: count }, (_, index) => `k${index}: 1\n`).join('')
}
