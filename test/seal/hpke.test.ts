/** Is it the HPKE of RFC 9180? Its own vectors say so here, and another implementation in test/interop/hpke/. */
import { webcrypto } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { fromHex } from '#src/bytes/encoding.ts'
import type { PublicKey } from '#src/rats/public-key.ts'
import { type HpkeRecipient, hpkeOpen, hpkeSeal } from '#src/seal/hpke.ts'

const context = { info: bytesOf('info'), aad: bytesOf('aad') }

/** cfrg/draft-irtf-cfrg-hpke, test-vectors.json: mode 0, kem_id 16, kdf_id 1, aead_id 2, encryption 0. */
const vector = {
  skRm: '317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2',
  pkRm: '04abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c685136f853148544876de76c0f2ef99cdc3a05ccf5ded7860c7c021238f9e2073d2356c',
  enc: '04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0',
  info: '4f6465206f6e2061204772656369616e2055726e',
  aad: '436f756e742d30',
  ct: '58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465e902cd216f8908da49f8f96f',
  pt: '4265617574792069732074727574682c20747275746820626561757479',
}

describe('a sealed message', () => {
  test('of the published vectors opens to their plaintext', async () => {
    const { enc, ct, info, aad, pt } = vector
    const opened = await hpkeOpen(
      await vectorKey(),
      { enc: hex(enc), ct: hex(ct) },
      { info: hex(info), aad: hex(aad) },
    )
    expect(opened).toEqual(hex(pt))
  })

  test.each([0, 1, 32, 64 * 1024])('opens to what was sealed: %i bytes', async (size) => {
    const { recipient, jwk } = await bornKey()
    const plaintext = new Uint8Array(size).fill(7)
    const message = await hpkeSeal(jwk, plaintext, context)
    expect([message.enc.length, message.ct.length]).toEqual([65, size + 16])
    expect(await hpkeOpen(recipient, message, context)).toEqual(plaintext)
  })

  test('is another each time', async () => {
    const { jwk } = await bornKey()
    const sealed = async () => await hpkeSeal(jwk, bytesOf('secret'), context)
    expect(await sealed()).not.toEqual(await sealed())
  })

  test.each([
    ['another info', { ...context, info: bytesOf('other') }],
    ['another aad', { ...context, aad: bytesOf('other') }],
    ['no aad', { ...context, aad: new Uint8Array() }],
  ])('does not open under %s', async (_, other) => {
    const { recipient, jwk } = await bornKey()
    const message = await hpkeSeal(jwk, bytesOf('secret'), context)
    await expect(hpkeOpen(recipient, message, other)).rejects.toThrow()
  })

  test('does not open with another key', async () => {
    const message = await hpkeSeal((await bornKey()).jwk, bytesOf('secret'), context)
    await expect(hpkeOpen((await bornKey()).recipient, message, context)).rejects.toThrow()
  })

  test('does not open with any byte changed', async () => {
    const { recipient, jwk } = await bornKey()
    const message = await hpkeSeal(jwk, bytesOf('secret'), context)
    for (const part of ['enc', 'ct'] as const)
      for (let at = 0; at < message[part].length; at++) {
        const bytes = message[part].slice()
        bytes[at] = (bytes[at] ?? 0) ^ 1
        const changed = { ...message, [part]: bytes }
        await expect(hpkeOpen(recipient, changed, context), `${part} ${at}`).rejects.toThrow()
      }
  })
})

test.each([
  ['a coordinate is short', { x: 'AAAA' }],
  ['a coordinate is spelt in another way', { x: `${'A'.repeat(42)}B` }],
  ['it is no point of the curve', { x: Buffer.alloc(32, 1).toString('base64url') }],
])('nothing is sealed to a key of which %s', async (_, change) => {
  const { jwk } = await bornKey()
  await expect(hpkeSeal({ ...jwk, ...change }, bytesOf('secret'), context)).rejects.toThrow()
})

/** As an enclave holds it: not extractable. */
async function bornKey(): Promise<{ readonly recipient: HpkeRecipient; readonly jwk: PublicKey }> {
  const pair = await webcrypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, false, [
    'deriveBits',
  ])
  const { x = '', y = '' } = await webcrypto.subtle.exportKey('jwk', pair.publicKey)
  const jwk: PublicKey = { kty: 'EC', crv: 'P-256', x, y }
  return { recipient: { privateKey: pair.privateKey, publicKey: jwk }, jwk }
}

async function vectorKey(): Promise<HpkeRecipient> {
  const point = hex(vector.pkRm)
  const publicKey: PublicKey = {
    kty: 'EC',
    crv: 'P-256',
    x: Buffer.from(point.subarray(1, 33)).toString('base64url'),
    y: Buffer.from(point.subarray(33)).toString('base64url'),
  }
  const d = Buffer.from(hex(vector.skRm)).toString('base64url')
  const privateKey = await webcrypto.subtle.importKey(
    'jwk',
    { ...publicKey, d },
    { name: 'ECDH', namedCurve: 'P-256' },
    false,
    ['deriveBits'],
  )
  return { privateKey, publicKey }
}

function hex(text: string): Uint8Array {
  const bytes = fromHex(text)
  if (!bytes) throw new Error('not hex')
  return bytes
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
