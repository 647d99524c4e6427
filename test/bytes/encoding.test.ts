import { expect, test } from 'vitest'
import { fromBase64, fromBase64Url, fromHex, isZero, sameBytes } from '../../src/bytes/encoding.ts'

test.each(['0', '0x00', 'zz', '00 ', 'é0'])('"%s" is not hex', (text) => {
  expect(fromHex(text)).toBeUndefined()
})

test('hex of either case is read', () => {
  expect(fromHex('aBcD')).toEqual(new Uint8Array([0xab, 0xcd]))
})

test.each(['AB', 'AA==', 'A+', 'A'])('"%s" is not canonical base64url', (text) => {
  expect(fromBase64Url(text)).toBeUndefined()
})

test.each(['A', 'AA*A', 'AA AA'])('"%s" is not base64', (text) => {
  expect(fromBase64(text)).toBeUndefined()
})

test('padded and unpadded base64 are read alike', () => {
  expect(fromBase64('AAE=')).toEqual(fromBase64('AAE'))
})

test('a prefix is not the same bytes', () => {
  expect(sameBytes(new Uint8Array([1]), new Uint8Array([1, 0]))).toBe(false)
})

test('isZero looks only within its bounds', () => {
  expect(isZero(new Uint8Array([1, 0, 0, 1]), 1, 3)).toBe(true)
  expect(isZero(new Uint8Array([1, 0, 0, 1]), 1)).toBe(false)
})
