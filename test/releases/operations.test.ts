/** What does a key do that never leaves, and for whom? */
import {
  createCipheriv,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  verify,
} from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Agent, type ReleaseScene, releaseScene } from './scene.ts'

let scene: ReleaseScene
let agent: Agent

beforeAll(async () => {
  scene = await releaseScene()
}, 30_000)
afterAll(() => scene.service.close())
beforeEach(async () => {
  agent = await scene.agent()
  // What is there already would not become a key for something else.
  await scene.revoke('secret:other', 'all')
})

describe('a key that never leaves', () => {
  const key = randomBytes(32)
  const operate = async (body: object) =>
    await scene.ask('/v1/operations', agent, { body: { resource: 'secret:other', ...body } })

  test('decrypts what was encrypted under it, and nothing else', async () => {
    await scene.put('secret:other', { use: 'decrypt' }, key)
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', key, iv)
    const ciphertext = Buffer.concat([cipher.update('in clear'), cipher.final()])
    const input = Buffer.concat([iv, cipher.getAuthTag(), ciphertext])
    const answer = await operate({ operation: 'decrypt', input: input.toString('base64url') })
    expect(answer.json).toMatchObject({ use: 'decrypt' })
    expect(answer.json.lease).toBeUndefined()
    const { secret } = await scene.open(answer, agent)
    expect(new TextDecoder().decode(secret)).toBe('in clear')
    input[20] = (input[20] ?? 0) ^ 1
    const refused = await operate({ operation: 'decrypt', input: input.toString('base64url') })
    expect([refused.status, refused.json.code]).toEqual([422, 'operation-refused'])
  })

  test('signs', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    await scene.put('secret:other', { use: 'sign' }, new TextEncoder().encode(pem))
    const answer = await operate({
      operation: 'sign',
      input: Buffer.from('text').toString('base64url'),
    })
    const { secret } = await scene.open(answer, agent)
    expect(
      verify(
        null,
        Buffer.from('text'),
        createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })),
        secret,
      ),
    ).toBe(true)
  })

  test('is never released, and does nothing else', async () => {
    await scene.put('secret:other', { use: 'decrypt' }, key)
    const released = await scene.release(agent, { body: { resource: 'secret:other' } })
    expect([released.status, released.json.code]).toEqual([403, 'release-use-refused'])
    expect((await operate({ operation: 'sign', input: 'AAAA' })).json.code).toBe(
      'release-use-refused',
    )
  })

  test('counts as a release', async () => {
    await scene.put('secret:other', { use: 'sign', releasesPerMinute: 1 }, signingKey())
    const asked = { operation: 'sign', input: 'AAAA' }
    const { json } = await operate(asked)
    expect(await scene.service.verifier.store.findRelease(json.release)).toMatchObject({
      use: 'sign',
      leaseUntil: undefined,
    })
    expect((await operate(asked)).status).toBe(429)
  })
})

function signingKey(): Uint8Array {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' }))
}
