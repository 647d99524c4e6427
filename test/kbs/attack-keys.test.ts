/** Whose key does a client bring? One that has two spellings, or that no secret can be sealed to, is none. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importBrokerKey } from '#src/seal/broker-jwe.ts'
import type { RunningService } from '../http/running-service.ts'
import { brokerService, PATH } from './broker-scene.ts'
import { type ClientKey, clientKey, StockClient } from './stock-client.ts'

let service: RunningService
beforeAll(async () => {
  service = await brokerService()
})
afterAll(async () => {
  await service.close()
})

const rsa = clientKey('RSA')
const modulus = Buffer.from(rsa.jwk.n ?? '', 'base64url')
const rsaWith = (change: Readonly<Record<string, string>>): ClientKey => ({
  ...rsa,
  jwk: { ...rsa.jwk, ...change },
})
const n = (bytes: Buffer) => ({ n: bytes.toString('base64url') })
const even = Buffer.from(modulus)
even.writeUInt8(even.readUInt8(255) & 0xfe, 255)

describe('a key is refused', () => {
  // Another spelling has another RFC 7638 thumbprint: whoever is revoked by one would come back by the other.
  test.each([
    ['whose modulus begins with zeros', rsaWith(n(Buffer.concat([Buffer.alloc(1), modulus])))],
    ['whose exponent begins with zeros', rsaWith({ e: 'AAEAAQ' })],
    // What cannot be inverted fails only when a secret is sealed to it, as a fault of ours.
    ['whose modulus is even', rsaWith(n(even))],
    [
      'whose modulus has 2047 bits',
      rsaWith(n(Buffer.concat([Buffer.from([0x40]), modulus.subarray(1)]))),
    ],
    ['of the exponent 3', rsaWith({ e: 'Aw' })],
    ['without a modulus', rsaWith({ n: '' })],
  ])('%s', async (_, key) => {
    const client = new StockClient({ url: service.url, key })
    const attested = await client.handshake()
    expect(attested.status, attested.text).toBe(400)
    expect(attested.json.detail).toMatch(/tee-pubkey/)
    expect((await client.resource(PATH)).status).toBe(401)
  })
})

describe('a point is none of its curve', () => {
  const P521 = 2n ** 521n - 1n
  const { jwk } = clientKey('P-521')
  const numberOf = (text = '') => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`)
  const written = (value: bigint) =>
    Buffer.from(value.toString(16).padStart(132, '0'), 'hex').toString('base64url')
  const [x, y] = [numberOf(jwk.x), numberOf(jwk.y)]
  const keyOf = (change: { readonly x?: bigint; readonly y?: bigint }) => ({
    kty: 'EC' as const,
    crv: 'P-521' as const,
    alg: 'ECDH-ES+A256KW' as const,
    x: written(change.x ?? x),
    y: written(change.y ?? y),
  })

  test('while the same in range is', () => {
    expect(importBrokerKey(keyOf({}))).toBeDefined()
    expect(importBrokerKey(keyOf({ y: P521 - y }))).toBeDefined()
  })

  test.each([
    ['x is not reduced', { x: x + P521 }],
    ['y is not reduced', { y: y + P521 }],
    ['it lies beside the curve', { y: (y + 1n) % P521 }],
    ['it is nothing', { x: 0n, y: 0n }],
  ])('where %s', (_, change) => {
    expect(importBrokerKey(keyOf(change))).toBeUndefined()
  })
})
