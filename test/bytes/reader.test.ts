import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Malformed } from '../../src/bytes/malformed.ts'
import { reader } from '../../src/bytes/reader.ts'

test('reads integers and spans in order', () => {
  const cursor = reader(new Uint8Array([1, 2, 0, 3, 0, 0, 0, 9, 9]), 'x')
  expect([cursor.u8('a'), cursor.u16('b'), cursor.u32('c')]).toEqual([1, 2, 3])
  expect(cursor.bytes('d', 2)).toEqual(new Uint8Array([9, 9]))
  expect(() => cursor.done()).not.toThrow()
})

test.each([
  ['u8', 0],
  ['u16', 1],
  ['u32', 3],
] as const)('%s needs more than %i bytes', (kind, size) => {
  expect(() => reader(new Uint8Array(size), 'x')[kind]('field')).toThrow(Malformed)
})

test('a claimed length of four gigabytes allocates nothing and is refused', () => {
  const cursor = reader(new Uint8Array([0xf0, 0xff, 0xff, 0xff]), 'x')
  const claimed = cursor.u32('length')
  expect(() => cursor.bytes('body', claimed)).toThrow(/x\.body at 0x004: found 0 bytes left/)
})

test('leftover bytes are refused by done', () => {
  expect(() => reader(new Uint8Array(1), 'x').done()).toThrow(/1 bytes after the end/)
})

test('zero padding passes doneButZeros', () => {
  expect(() => reader(new Uint8Array(70), 'x').doneButZeros()).not.toThrow()
})

test('padding of 0x41 does not pass doneButZeros', () => {
  expect(() => reader(new Uint8Array(70).fill(0x41), 'x').doneButZeros()).toThrow(Malformed)
})

test('no sequence of reads leaves the source', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(fc.nat(80)), (source, sizes) => {
      const cursor = reader(source, 'x')
      try {
        for (const size of sizes) expect(cursor.bytes('span', size).length).toBe(size)
      } catch (error) {
        expect(error).toBeInstanceOf(Malformed)
      }
      expect(cursor.offset + cursor.left).toBe(source.length)
    }),
  )
})
