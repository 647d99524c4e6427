import { expect, test } from 'vitest'
import { crlNumber, mintCrl } from '../../enclave/simulator/mint/crl.ts'
import { name } from '../../enclave/simulator/mint/name.ts'
import { ecdsaSha256, ecdsaSha384 } from '../../enclave/simulator/mint/signing.ts'
import { Malformed } from '../../src/bytes/malformed.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { decodeCrl, freshness, isRevoked, revocationSource } from '../../src/pki/crl.ts'
import { ecdsaP256Sha256 } from '../../src/pki/scheme.ts'
import { chain, chance, crl, day } from './authority.ts'

const { root, middle } = chain()
const authority = decodeCertificate(root.der)
const subject = decodeCertificate(middle.der)
const sourceOf = (...ders: readonly Uint8Array[]) =>
  revocationSource(authority, ders.map(decodeCrl), ecdsaP256Sha256)
const listing = (...serials: readonly bigint[]) => ({
  revoked: serials.map((serial) => ({ serial, at: day(4), reason: 1 })),
})

test('a listed serial is revoked', () => {
  expect(isRevoked(subject, sourceOf(crl(root, listing(2n))))).toBe(true)
})

test('another serial is not', () => {
  expect(isRevoked(subject, sourceOf(crl(root, listing(3n, 0x200n))))).toBe(false)
})

test('a list of 20,000 entries is read, and its last one found', () => {
  const serials = Array.from({ length: 20_000 }, (_, index) => BigInt(index + 100))
  const decoded = decodeCrl(crl(root, listing(...serials, 2n)))
  expect(decoded.revoked.size).toBe(20_001)
  expect(decoded.revoked.has(subject.serial)).toBe(true)
})

test('serial 0, which every VCEK has, can be listed', () => {
  const zero = decodeCertificate(chain({ middle: () => ({ serial: 0n }) }).middle.der)
  expect(isRevoked(zero, sourceOf(crl(root, listing(0n))))).toBe(true)
})

test('a serial whose top bit is set is found', () => {
  const serial = 0xefae6e9715fca13b87e333e8261ed6d990a926adn
  const large = decodeCertificate(chain({ middle: () => ({ serial }) }).middle.der)
  expect(isRevoked(large, sourceOf(crl(root, listing(serial))))).toBe(true)
})

test('an older list still revokes when a newer one no longer lists the serial', () => {
  const older = crl(root, { ...listing(2n), thisUpdate: day(2) })
  expect(isRevoked(subject, sourceOf(older, crl(root)))).toBe(true)
})

test('the newest list decides freshness', () => {
  const older = crl(root, { thisUpdate: day(2), nextUpdate: day(29) })
  expect(freshness(sourceOf(older, crl(root)))).toEqual({ notBefore: day(5), notAfter: day(15) })
})

test('no list, no freshness', () => {
  expect(freshness(sourceOf())).toBeUndefined()
})

test('a list of another issuer says nothing', () => {
  const source = sourceOf(crl(middle, listing(2n)))
  expect(source).toMatchObject({ authentic: [], forged: undefined })
})

test.each([
  ['by another key', { signedBy: chance.p256('stranger') }],
  ['with another digest', { scheme: ecdsaSha384 }],
])('a list signed %s is forged', (_, fields) => {
  const source = sourceOf(crl(root, fields))
  expect(source.authentic).toEqual([])
  expect(source.forged?.sentence).toContain('Root')
})

test('an authority without cRLSign cannot sign lists', () => {
  const signer = decodeCertificate(
    chain({
      root: ({ extensions }) => ({
        extensions: extensions.filter(({ oid }) => oid !== '2.5.29.15'),
      }),
    }).root.der,
  )
  expect(revocationSource(signer, [decodeCrl(crl(root))], ecdsaP256Sha256).authentic).toEqual([])
})

const unknown = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    oid: `1.3.6.1.4.1.99999.${n}`,
    critical: false,
    value: new Uint8Array([5, 0]),
  }))

test('a list with 16 extensions is read, and one with 17 refused before they are decoded', () => {
  expect(decodeCrl(crl(root, { extensions: unknown(16) })).revoked.size).toBe(0)
  const tooMany = crl(root, { extensions: unknown(17) })
  expect(() => decodeCrl(tooMany)).toThrow(Malformed)
  expect(() => decodeCrl(tooMany)).toThrow('more than 16 extensions')
  // So many that the decoder itself would refuse them, in other words.
  expect(() => decodeCrl(crl(root, { extensions: unknown(200) }))).toThrow('16 extensions')
})

test.each([
  ['no bytes', new Uint8Array()],
  ['four bytes of garbage', new Uint8Array([1, 2, 3, 4])],
  ['a certificate', root.der],
  ['a trailing byte', new Uint8Array([...crl(root), 0])],
  ['no nextUpdate', crl(root, { nextUpdate: undefined })],
  ['version 1', crl(root, { version: undefined, extensions: [] })],
  [
    'a delta list',
    crl(root, {
      extensions: [{ oid: '2.5.29.27', critical: true, value: new Uint8Array([2, 1, 1]) }],
    }),
  ],
  ['an inner algorithm that differs', mismatched()],
])('%s is not a revocation list', (_, der) => {
  expect(() => decodeCrl(der)).toThrow(Malformed)
})

/** The signed algorithm says SHA-384, the outer one SHA-256: byte 9 of the ecdsa-with-SHA2 identifier in tbsCertList. */
function mismatched(): Uint8Array {
  const der = mintCrl({
    version: 1,
    issuer: name(['CN', 'Root']),
    thisUpdate: day(5),
    nextUpdate: day(15),
    revoked: [],
    extensions: [crlNumber(1)],
    scheme: ecdsaSha256,
    signedBy: root.key,
  })
  const at = Buffer.from(der).indexOf(Buffer.from('2a8648ce3d040302', 'hex')) + 7
  const copy = der.slice()
  copy[at] = 3
  return copy
}
