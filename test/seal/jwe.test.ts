/** What is sealed to a key is opened by another implementation with that key, and by nobody else. */
import { createPublicKey, randomBytes } from 'node:crypto'
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { sealTo } from '#src/seal/jwe.ts'

const options = {
  keyManagementAlgorithms: ['ECDH-ES'],
  contentEncryptionAlgorithms: ['A256GCM'],
}

async function sealed(text: string) {
  const pair = await generateKeyPair('ECDH-ES', { crv: 'P-256' })
  const key = createPublicKey({ key: await exportJWK(pair.publicKey), format: 'jwk' })
  const iv = new Uint8Array(randomBytes(12))
  return { jwe: sealTo({ key, jkt: 'thumbprint' }, { text, contentType: 'JWT', iv }), pair }
}

describe('a sealed text', () => {
  test.each([[''], ['a token'], ['ü'.repeat(5000)]])('is opened by jose (%#)', async (text) => {
    const { jwe, pair } = await sealed(text)
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, pair.privateKey, options)
    expect(new TextDecoder().decode(plaintext)).toBe(text)
    expect(protectedHeader).toMatchObject({
      alg: 'ECDH-ES',
      enc: 'A256GCM',
      kid: 'thumbprint',
      cty: 'JWT',
    })
  })

  test('is not opened by another key', async () => {
    const { jwe } = await sealed('a token')
    const { pair: other } = await sealed('x')
    await expect(compactDecrypt(jwe, other.privateKey, options)).rejects.toThrow()
  })

  test.each([[0], [2], [3], [4]])('is not opened when its part %i was changed', async (part) => {
    const { jwe, pair } = await sealed('a token')
    const parts = jwe.split('.')
    const text = parts[part] ?? ''
    parts[part] = `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`
    await expect(compactDecrypt(parts.join('.'), pair.privateKey, options)).rejects.toThrow()
  })

  test('is another each time, under a key of its own', async () => {
    const [one, other] = [await sealed('a token'), await sealed('a token')]
    expect(one.jwe.split('.')[0]).not.toBe(other.jwe.split('.')[0])
  })
})
