import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytes, layout, u8, u16, u32, u64, zero } from '../../src/bytes/layout.ts'
import { Malformed } from '../../src/bytes/malformed.ts'

const sample = layout('SAMPLE', 32, {
  small: u8(0),
  gap: zero(1, 1),
  medium: u16(2),
  large: u32(4),
  huge: u64(8),
  blob: bytes(16, 12),
  tail: zero(28, 4),
})

test('what was encoded decodes to the same fields', () => {
  fc.assert(
    fc.property(
      fc.record({
        small: fc.nat(0xff),
        medium: fc.nat(0xffff),
        large: fc.nat(0xffff_ffff),
        huge: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        blob: fc.uint8Array({ minLength: 12, maxLength: 12 }),
      }),
      (value) => {
        const decoded = sample.decode(sample.encode(value))
        for (const name of ['small', 'medium', 'large', 'huge', 'blob'] as const)
          expect(decoded[name]).toEqual(value[name])
      },
    ),
  )
})

test('integers are little-endian', () => {
  const raw = sample.encode({
    small: 0,
    medium: 0x0102,
    large: 0,
    huge: 0n,
    blob: new Uint8Array(12),
  })
  expect([raw[2], raw[3]]).toEqual([0x02, 0x01])
})

test.each([
  ['gap', 1],
  ['tail', 28],
  ['tail', 31],
])('a set byte in reserved row %s at %i names the row', (row, at) => {
  const raw = new Uint8Array(32)
  raw[at] = 1
  expect(() => sample.decode(raw)).toThrow(
    expect.objectContaining({ name: 'Malformed', path: `SAMPLE.${row}` }),
  )
})

test.each([31, 33, 0])('%i bytes are refused where 32 belong', (size) => {
  expect(() => sample.decode(new Uint8Array(size))).toThrow(Malformed)
})

test('a decoded byte field is a view into the received bytes', () => {
  const raw = new Uint8Array(64).subarray(16, 48)
  raw[16] = 7
  expect(sample.decode(raw).blob[0]).toBe(7)
  expect(sample.decode(raw).blob.buffer).toBe(raw.buffer)
})

test('encoding refuses a byte field of another length', () => {
  const value = { small: 0, medium: 0, large: 0, huge: 0n, blob: new Uint8Array(11) }
  expect(() => sample.encode(value)).toThrow(RangeError)
})

test('rows that leave a gap are refused when the table is made', () => {
  expect(() => layout('GAP', 4, { first: u8(0), second: u16(2) })).toThrow(/starts at 0x002/)
})

test('rows that overlap are refused when the table is made', () => {
  expect(() => layout('OVERLAP', 4, { first: u32(0), second: u16(2) })).toThrow(/expected 0x004/)
})

test('rows that stop short of the end are refused when the table is made', () => {
  expect(() => layout('SHORT', 4, { first: u16(0) })).toThrow(/covers 0x002 of 0x004/)
})
