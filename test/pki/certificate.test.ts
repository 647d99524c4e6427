import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Malformed } from '../../src/bytes/malformed.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { bitString, decodeDer, objectIdentifier, unsignedInteger } from '../../src/pki/der.ts'
import { chain } from './authority.ts'

const { leaf, middle } = chain()
const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))

test('the signed bytes are those that were received', () => {
  const { der, tbs } = decodeCertificate(leaf.der)
  expect(Buffer.from(der).includes(Buffer.from(tbs))).toBe(true)
})

test('an authority shows its path length, an end entity none', () => {
  expect(decodeCertificate(middle.der).authority).toEqual({ pathLength: 0 })
  expect(decodeCertificate(leaf.der).authority).toBeUndefined()
})

test('an extension that appears twice is refused', () => {
  const twice = chain({
    leaf: ({ extensions }) => ({ extensions: [...extensions, ...extensions] }),
  })
  expect(() => decodeCertificate(twice.leaf.der)).toThrow(/appears twice/)
})

test('bytes after the certificate are refused', () => {
  expect(() => decodeCertificate(new Uint8Array([...leaf.der, 0]))).toThrow(Malformed)
})

test('a certificate of more than 16 KiB is refused before it is parsed', () => {
  expect(() => decodeCertificate(new Uint8Array(16 * 1024 + 1))).toThrow(/at most 16384/)
})

test('mutated certificates throw nothing but Malformed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(leaf.der.length - 1), fc.nat(255)), { maxLength: 6 }),
      (edits) => {
        const der = leaf.der.slice()
        for (const [at, value] of edits) der[at] = value
        try {
          decodeCertificate(der)
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed)
        }
      },
    ),
    { numRuns: 400 },
  )
})

test.each([
  ['02 01 1e', 30],
  ['02 02 00 db', 219],
  ['02 01 00', 0],
  ['02 04 7f ff ff ff', 2 ** 31 - 1],
])('INTEGER %s is %i', (der, value) => {
  expect(unsignedInteger(decodeDer(hex(der), 'x'))).toBe(value)
})

test.each([
  ['not minimal', '02 02 00 1e'],
  ['negative', '02 01 db'],
  ['empty', '02 00'],
  ['too large', '02 06 01 00 00 00 00 00'],
  ['an OCTET STRING', '04 01 05'],
])('an INTEGER that is %s is refused', (_, der) => {
  expect(() => unsignedInteger(decodeDer(hex(der), 'x'))).toThrow()
})

test.each([
  ['an indefinite length', '30 80 02 01 01 00 00'],
  ['nothing', ''],
  ['a length beyond the end', '30 05 02 01 01'],
  ['two values', '05 00 05 00'],
])('%s is not DER', (_, der) => {
  expect(() => decodeDer(hex(der), 'x')).toThrow()
})

test('object identifiers are read with multi-octet arcs', () => {
  const der = hex('06 09 2b 06 01 04 01 9c 78 01 04')
  expect(objectIdentifier(decodeDer(der, 'x'))).toBe('1.3.6.1.4.1.3704.1.4')
})

test('a BIT STRING gives its bits without the count of unused ones', () => {
  expect([...bitString(decodeDer(hex('03 02 01 06'), 'x'))]).toEqual([6])
})
