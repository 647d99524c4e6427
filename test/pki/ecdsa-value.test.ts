import { generateKeyPairSync, sign, verify } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { derFromBigEndian, derFromLittleEndian } from '../../src/pki/ecdsa-value.ts'

test.each([
  ['P-256', 'sha256', 32],
  ['P-384', 'sha384', 48],
  ['P-521', 'sha512', 66],
] as const)('a raw %s signature verifies after conversion', (namedCurve, digest, width) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
  for (let turn = 0; turn < 50; turn++) {
    const message = Buffer.from(`message ${turn}`)
    const raw = sign(digest, message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
    const [r, s] = [raw.subarray(0, width), raw.subarray(width)]
    expect(verify(digest, message, publicKey, derFromBigEndian(r, s))).toBe(true)
    const [rLittle, sLittle] = [Uint8Array.from(r).reverse(), Uint8Array.from(s).reverse()]
    expect(verify(digest, message, publicKey, derFromLittleEndian(rLittle, sLittle))).toBe(true)
  }
})

test('integers are minimal and never negative', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 48, maxLength: 48 }),
      fc.uint8Array({ minLength: 48, maxLength: 48 }),
      (r, s) => {
        const der = derFromBigEndian(r, s)
        const rSize = der[3] ?? 0
        const [first = 0, second = 0x80] = der.subarray(4, 4 + rSize)
        expect(first).toBeLessThan(0x80)
        expect(first === 0 && second < 0x80 && rSize > 1).toBe(false)
        expect(der.length).toBe(2 + (der[1] ?? 0))
      },
    ),
  )
})

test('zero is one zero octet', () => {
  expect([...derFromBigEndian(new Uint8Array(48), new Uint8Array(48))]).toEqual([
    0x30, 6, 2, 1, 0, 2, 1, 0,
  ])
})
