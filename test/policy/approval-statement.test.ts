/** What is signed is bytes: a statement has one meaning, whoever reads it. */
import { describe, expect, test } from 'vitest'
import {
  readStatement,
  type Statement,
  statementText,
} from '#src/policy/acceptance/approval-statement.ts'

const approval: Statement = {
  kind: 'Approval',
  repository: 'example-policy',
  path: 'rules/base.yaml',
  sha256: 'ab'.repeat(32),
  generation: 4,
  notAfter: new Date('2026-08-01T00:00:00Z'),
}
const reset: Statement = {
  kind: 'Reset',
  repository: 'example-policy',
  from: '1'.repeat(40),
  to: '2'.repeat(64),
  notAfter: new Date('2026-08-01T00:00:00Z'),
}
const text = statementText(approval)

function read(source: string | Uint8Array) {
  return readStatement(Buffer.from(source))
}

test('what is written is read again', () => {
  expect(read(text)).toEqual({ statement: approval })
  expect(read(statementText(reset))).toEqual({ statement: reset })
  expect(read(text.replace('00Z', '00.000Z'))).toEqual({ statement: approval })
})

test('order and white space are free', () => {
  const { kind, repository, ...rest } = JSON.parse(text)
  expect(read(JSON.stringify({ ...rest, repository, kind }, null, '\t'))).toEqual({
    statement: approval,
  })
  expect(read(`\r\n ${text}\n`)).toEqual({ statement: approval })
})

test('a path may hold what JSON escapes, in one way', () => {
  const odd = { ...approval, path: 'rules/"a"/ä€😀.yaml' }
  expect(read(statementText(odd))).toEqual({ statement: odd })
})

describe('is no statement:', () => {
  const swapped = (from: string, to: string) => {
    if (!text.includes(from)) throw new Error(`the statement has no ${from}`)
    return text.replace(from, to)
  }
  test.each<[string, string | Uint8Array, RegExp]>([
    ['nothing', '', /not a JSON object|no JSON/],
    ['a list', '[]', /not a JSON object/],
    ['null', 'null', /not a JSON object/],
    ['text after it', `${text}x`, /JSON/],
    ['two of them', `${text}${text}`, /JSON/],
    ['a byte order mark', `\ufeff${text}`, /JSON/],
    [
      'what is no UTF-8',
      Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from([0xff]), Buffer.from('"}')]),
      /UTF-8/,
    ],
    ['UTF-16', Buffer.from(text, 'utf16le'), /JSON/],
    ['4 KiB and more', `${text}${' '.repeat(4096)}`, /at most 4096/],
    ['a member twice', swapped('"generation":4', '"generation":3,"generation":4'), /twice/],
    [
      'a member twice, spelled in two ways',
      swapped('"generation":4', '"\\u0067eneration":3,"generation":4'),
      /spells/,
    ],
    ['a member more', swapped('"generation":4', '"generation":4,"x":1'), /has a member x/],
    [
      '__proto__',
      swapped('"generation":4', '"generation":4,"__proto__":"x"'),
      /has a member __proto__/,
    ],
    ['a member less', swapped('"generation":4,', ''), /has no member generation/],
    ['an escape that is not needed', swapped('rules/', 'rules\\/'), /spells/],
    ['4.0', swapped('"generation":4', '"generation":4.0'), /whole numbers/],
    ['4e0', swapped('"generation":4', '"generation":4e0'), /whole numbers/],
    ['-0', swapped('"generation":4', '"generation":-0'), /whole numbers/],
    [
      'a number beyond what is exact',
      swapped('"generation":4', '"generation":9007199254740993'),
      /whole number/,
    ],
    ['a generation as text', swapped('"generation":4', '"generation":"4"'), /whole number/],
    ['a nested value', swapped('"generation":4', '"generation":{}'), /whole numbers/],
    ['a list of texts', swapped('"generation":4', '"generation":["4"]'), /whole numbers/],
    ['true', swapped('"generation":4', '"generation":true'), /whole numbers/],
    ['another kind', swapped('Approval', 'approval'), /of kind "approval"/],
    ['members of the other kind', swapped('Approval', 'Reset'), /has a member (path|sha256)/],
    ['upper-case hex', swapped('ab', 'AB'), /64 lower-case hex/],
    ['a digest cut short', swapped('ab', ''), /64 lower-case hex/],
    ['an empty path', swapped('rules/base.yaml', ''), /path/],
    ['a time without a zone', swapped('00Z', '00'), /instant/],
    ['a time of another zone', swapped('00:00Z', '00:00+00:00'), /instant/],
    ['a day that is not in the calendar', swapped('2026-08-01', '2026-02-30'), /instant/],
    ['a year of five digits', swapped('2026', '+02026'), /instant/],
  ])('%s', (_, source, why) => {
    const reading = read(source)
    expect('mistake' in reading ? reading.mistake : 'was read').toMatch(why)
  })

  test('a reset with names that are not complete', () => {
    const reading = read(statementText({ ...reset, from: '1'.repeat(39) }))
    expect('mistake' in reading && reading.mistake).toMatch(/full name of a commit/)
  })
})
