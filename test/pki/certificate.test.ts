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

test('a certificate with 24 extensions is read, and one with 25 refused before they are decoded', () => {
  const withMore = (count: number) =>
    chain({
      leaf: ({ extensions }) => ({
        extensions: [
          ...extensions,
          ...Array.from({ length: count - extensions.length }, (_, n) => ({
            oid: `1.3.6.1.4.1.99999.${n}`,
            critical: false,
            value: new Uint8Array([5, 0]),
          })),
        ],
      }),
    }).leaf.der
  expect(decodeCertificate(withMore(24)).extensions.size).toBe(24)
  expect(() => decodeCertificate(withMore(25))).toThrow(Malformed)
  expect(() => decodeCertificate(withMore(25))).toThrow('more than 24 extensions')
  expect(() => decodeCertificate(withMore(150))).toThrow('more than 24 extensions')
})

test('bytes after the certificate are refused', () => {
  expect(() => decodeCertificate(new Uint8Array([...leaf.der, 0]))).toThrow(Malformed)
})

test('a certificate of more than 8 KiB is refused before it is parsed', () => {
  expect(() => decodeCertificate(new Uint8Array(8 * 1024 + 1))).toThrow(/at most 8192/)
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

test('a BIT STRING of whole octets gives them', () => {
  expect([...bitString(decodeDer(hex('03 02 00 06'), 'x'))]).toEqual([6])
})

test.each([
  ['unused bits where whole octets belong', '03 02 01 06'],
  ['an unused bit that is set', '03 02 01 07'],
  ['eight unused bits', '03 02 08 00'],
  ['no count of unused bits', '03 00'],
])('a BIT STRING with %s is refused', (_, der) => {
  expect(() => bitString(decodeDer(hex(der), 'x'))).toThrow()
})

test.each([
  ['a length that is too small', '30 02 05 00 05 00'],
  ['a length that is too large', '30 05 05 00 05 00'],
  ['a long form where the short one does', '30 81 02 05 00'],
  ['a length with a leading zero', '30 82 00 02 05 00'],
  ['an inner length that the outer one cuts off', '30 03 04 02 00'],
])('%s is not DER', (_, der) => {
  expect(() => decodeDer(hex(der), 'x')).toThrow()
})

test('no bit of a certificate can be turned without a different certificate coming out, or none', () => {
  const original = decodeCertificate(leaf.der)
  for (let bit = 0; bit < leaf.der.length * 8; bit++) {
    const der = leaf.der.slice()
    der[bit >> 3] = (der[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    let decoded: ReturnType<typeof decodeCertificate>
    try {
      decoded = decodeCertificate(der)
    } catch {
      continue
    }
    const same =
      Buffer.compare(decoded.tbs, original.tbs) === 0 &&
      Buffer.compare(decoded.signature, original.signature) === 0 &&
      decoded.signatureIdentifier === original.signatureIdentifier
    expect(same, `bit ${bit}`).toBe(false)
  }
})
