/** Does a key that never leaves do what others expect of it, and nothing for whoever changed the input? */
import {
  createCipheriv,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  verify,
} from 'node:crypto'
import { compactVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { keyMistake, LARGEST_INPUT, operate } from '#src/service/operate.ts'

const key = new Uint8Array(randomBytes(32))

function sealed(text: string | Uint8Array): Uint8Array {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  const ciphertext = Buffer.concat([cipher.update(text), cipher.final()])
  return new Uint8Array(Buffer.concat([iv, cipher.getAuthTag(), ciphertext]))
}

describe('decrypt', () => {
  test.each([
    ['', 'nothing'],
    ['text', 'a text'],
    ['x'.repeat(LARGEST_INPUT - 28), 'the most'],
  ])('opens what was encrypted under the key (%#)', async (text) => {
    expect(new TextDecoder().decode(await operate('decrypt', key, sealed(text)))).toBe(text)
  })

  test('opens nothing of which any byte was changed', async () => {
    const input = sealed('some text')
    for (let at = 0; at < input.length; at++) {
      const changed = input.with(at, (input[at] ?? 0) ^ 1)
      await expect(operate('decrypt', key, changed), `byte ${at}`).rejects.toMatchObject({
        code: 'operation-refused',
      })
    }
  })

  test.each([
    ['no room for iv and tag', new Uint8Array(27)],
    ['another key’s', sealed('x').fill(1, 12, 28)],
    ['too long', new Uint8Array(LARGEST_INPUT + 1)],
  ])('takes no input with %s', async (_, input) => {
    await expect(operate('decrypt', key, input)).rejects.toMatchObject({
      code: 'operation-refused',
    })
  })

  test('with a key of another size is the operator’s mistake', async () => {
    await expect(operate('decrypt', key.subarray(1), sealed('x'))).rejects.toMatchObject({
      code: 'configuration-invalid',
    })
  })
})

const pairs = {
  Ed25519: generateKeyPairSync('ed25519'),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
}

describe.each(['Ed25519', 'ES256', 'RS256'] as const)('sign with %s', (alg) => {
  const { privateKey, publicKey } = pairs[alg]

  test.each(['der', 'pem'] as const)('makes a JWS that jose verifies, from %s', async (format) => {
    const header = Buffer.from(JSON.stringify({ alg })).toString('base64url')
    const signed = `${header}.${Buffer.from('{}').toString('base64url')}`
    const signature = await operate('sign', bytesOf(privateKey, format), Buffer.from(signed))
    const jws = `${signed}.${Buffer.from(signature).toString('base64url')}`
    await expect(compactVerify(jws, publicKey, { algorithms: [alg] })).resolves.toBeDefined()
  })
})

test('an Ed25519 signature is the raw one', async () => {
  const { privateKey, publicKey } = pairs.Ed25519
  const signature = await operate('sign', bytesOf(privateKey, 'der'), new Uint8Array())
  expect(signature).toHaveLength(64)
  const pem = publicKey.export({ format: 'pem', type: 'spki' })
  expect(verify(null, new Uint8Array(), createPublicKey(pem), signature)).toBe(true)
})

describe('no signing key is', () => {
  const der = { format: 'der', type: 'pkcs8' } as const
  test.each<[string, Uint8Array]>([
    ['text', new TextEncoder().encode('password')],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export(der)],
    [
      'RSA of 1024 bits',
      generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export(der),
    ],
    ['X25519', generateKeyPairSync('x25519').privateKey.export(der)],
    ['a public key', bytesOf(pairs.ES256.publicKey, 'pem')],
    [
      'an encrypted one',
      Buffer.from(
        pairs.ES256.privateKey.export({
          format: 'pem',
          type: 'pkcs8',
          cipher: 'aes-256-cbc',
          passphrase: 'x',
        }),
      ),
    ],
  ])('%s', async (_, secret) => {
    expect(keyMistake('sign', secret)).toMatch(/a signing key is Ed25519, P-256 or RSA/)
    const refused = await operate('sign', secret, new Uint8Array(1)).catch(
      (error: unknown) => error,
    )
    expect(refused).toMatchObject({ code: 'configuration-invalid' })
    expect(String(refused)).not.toContain('password')
  })
})

test.each([
  ['release', new Uint8Array(1), undefined],
  ['decrypt', key, undefined],
  ['decrypt', new Uint8Array(31), /has 32 bytes, and this has 31/],
] as const)('whoever puts a key for %s is told before (%#)', (use, secret, says) => {
  if (says) expect(keyMistake(use, secret)).toMatch(says)
  else expect(keyMistake(use, secret)).toBeUndefined()
})

function bytesOf(key: KeyObject, format: 'pem' | 'der'): Uint8Array {
  const type = key.type === 'private' ? 'pkcs8' : 'spki'
  return format === 'pem'
    ? new TextEncoder().encode(String(key.export({ format, type })))
    : new Uint8Array(key.export({ format, type }))
}
