/** Arrays in PostgreSQL's binary form: read back as array_recv reads them, whatever is in them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { binaryArray } from '#src/adapters/postgres-arrays.ts'
import type { SqlType, SqlValue } from '#src/adapters/sql-columns.ts'

const oids = {
  bytea: 17,
  bigint: 20,
  integer: 23,
  text: 25,
  json: 114,
  timestamptz: 1184,
  uuid: 2950,
}

/** The header's five numbers, and the elements as bytes in hex. Throws where bytes are left over or missing. */
function received(bytes: Buffer) {
  const header = [0, 4, 8, 12, 16].map((at) => bytes.readInt32BE(at))
  const elements: (string | null)[] = []
  let at = 20
  while (at < bytes.length) {
    const size = bytes.readInt32BE(at)
    at += 4
    if (size > bytes.length - at) throw new RangeError('an element ends behind the array')
    elements.push(size === -1 ? null : bytes.toString('hex', at, at + size))
    at += Math.max(size, 0)
  }
  return { header, elements }
}

const hexOf = (text: string) => Buffer.from(text).toString('hex')
const int64 = (value: bigint) => BigInt.asUintN(64, value).toString(16).padStart(16, '0')
const EPOCH = BigInt(Date.UTC(2000, 0, 1))
const text = fc.string({ unit: 'binary' })

/** Of each type: what may be in it, and its bytes as the server's documentation has them. */
const kinds: readonly {
  readonly type: SqlType
  readonly given: fc.Arbitrary<SqlValue>
  readonly expected: (value: never) => string
}[] = [
  { type: 'text', given: text, expected: hexOf },
  { type: 'json', given: text, expected: hexOf },
  {
    type: 'bytea',
    given: fc.uint8Array(),
    expected: (value: Uint8Array) => Buffer.from(value).toString('hex'),
  },
  { type: 'uuid', given: fc.uuid(), expected: (value: string) => value.replaceAll('-', '') },
  {
    type: 'integer',
    given: fc.integer(),
    expected: (value: number) => (value >>> 0).toString(16).padStart(8, '0'),
  },
  {
    type: 'bigint',
    given: fc.maxSafeInteger(),
    expected: (value: number) => int64(BigInt(value)),
  },
  {
    type: 'timestamptz',
    // All that a Date can be, from far before the epoch to where microseconds no longer fit into a number.
    given: fc.date({ noInvalidDate: true }),
    expected: (value: Date) => int64((BigInt(value.getTime()) - EPOCH) * 1000n),
  },
]

test.each(kinds)('$type', ({ type, given, expected }) =>
  fc.assert(
    fc.property(fc.array(fc.option(given)), (elements) => {
      const nulls = elements.includes(null) ? 1 : 0
      expect(received(binaryArray({ type, elements }))).toEqual({
        header: [1, nulls, oids[type], elements.length, 1],
        elements: elements.map((each) => (each === null ? null : expected(each as never))),
      })
    }),
  ),
)

describe('instants', () => {
  test.each([
    ['1999-12-31T23:59:59.999Z', -1000n],
    ['2000-01-01T00:00:00.000Z', 0n],
    ['2000-01-01T01:11:34.968Z', 4_294_968_000n],
    ['2026-11-24T09:30:00.123Z', 848_827_800_123_000n],
    ['2285-06-04T23:47:34.740Z', 9_007_199_254_740_000n],
    ['2285-06-04T23:47:34.741Z', 9_007_199_254_741_000n],
    ['9999-12-31T23:59:59.999Z', 252_455_615_999_999_000n],
  ])('%s is %s µs', (instant, micros) =>
    expect(
      received(binaryArray({ type: 'timestamptz', elements: [new Date(instant)] })).elements,
    ).toEqual([int64(micros)]),
  )
})

describe('what is not of the type is refused', () => {
  test.each<[string, SqlType, SqlValue]>([
    ['a number as text', 'text', 1],
    ['a date as text', 'text', new Date(0)],
    ['a uuid that is too short', 'uuid', '0193f8a0-0000-8000-8000-00000000abc'],
    ['a fraction', 'bigint', 0.5],
    ['an integer above 32 bits', 'integer', 2 ** 31],
    ['no date', 'timestamptz', new Date(Number.NaN)],
  ])('%s', (_, type, element) => expect(() => binaryArray({ type, elements: [element] })).toThrow())
})
