/** The service's own keys: made once, kept encrypted, opened only under their name and their key-encryption key. */
import { randomBytes } from 'node:crypto'
import { compactVerify, exportJWK } from 'jose'
import { describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { challengeKeys, issuerFor, type KeyRoom } from '#src/service/keys.ts'
import type { SealedKey } from '#src/service/ports.ts'
import { openKey, sealKey } from '#src/service/sealed-key.ts'
import { signToken } from '#src/token/issuer.ts'

const room = (change: Partial<KeyRoom> = {}): KeyRoom => ({
  store: memoryStore(),
  random: { bytes: (size) => new Uint8Array(randomBytes(size)) },
  clock: { now: () => new Date('2026-06-01T00:00:00Z') },
  keyEncryptionKey: new Uint8Array(32).fill(1),
  ...change,
})
const issuer = { url: 'https://a.example', assurance: 'hardware' } as const

describe('an issuer', () => {
  test('has the same key at its second start, and another issuer has another', async () => {
    const here = room()
    const [first, again, other] = [
      await issuerFor(here, issuer),
      await issuerFor(here, issuer),
      await issuerFor(here, { ...issuer, url: 'https://b.example' }),
    ]
    expect(again.keys[0].kid).toBe(first.keys[0].kid)
    expect(other.keys[0].kid).not.toBe(first.keys[0].kid)
  })

  test('of two replicas that start at once has one key', async () => {
    const here = room()
    const both = await Promise.all([issuerFor(here, issuer), issuerFor(here, issuer)])
    expect(both[0].keys[0].kid).toBe(both[1].keys[0].kid)
  })

  test('signs what its published key verifies, and gives its private key to nobody', async () => {
    const made = await issuerFor(room(), issuer)
    const token = await signToken(made, { exp: 1, sub: 's' })
    const { protectedHeader } = await compactVerify(token, made.keys[0].publicJwk)
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: made.keys[0].kid })
    await expect(exportJWK(made.keys[0].privateKey)).rejects.toThrow()
  })
})

test('challenge keys are the same at the second start', async () => {
  const here = room()
  expect(await challengeKeys(here)).toEqual(await challengeKeys(here))
})

test('another key-encryption key opens nothing, and says whose fault that is', async () => {
  const { store } = room()
  await challengeKeys(room({ store }))
  const other = room({ store, keyEncryptionKey: new Uint8Array(32).fill(2) })
  await expect(challengeKeys(other)).rejects.toThrow('key-encryption key is another one')
})

describe('a sealed key', () => {
  const kek = new Uint8Array(32).fill(1)
  const secret = new TextEncoder().encode('a private key in PEM')
  const name = { kid: 'k', purpose: 'challenge' } as const
  const key: SealedKey = {
    ...name,
    createdAt: new Date(0),
    sealed: sealKey(name, secret, { kek, iv: new Uint8Array(12).fill(5) }),
  }

  test('opens to what was sealed', () => expect(openKey(key, kek)).toEqual(secret))

  test.each<[string, Partial<SealedKey>]>([
    ['another purpose', { purpose: 'token:https://a.example' }],
    ['another id', { kid: 'l' }],
    ['no bytes', { sealed: new Uint8Array() }],
    ['half its bytes', { sealed: key.sealed.subarray(0, 30) }],
    ['a form of the future', { sealed: new Uint8Array([2, ...key.sealed.subarray(1)]) }],
  ])('does not open under %s', (_, change) =>
    expect(() => openKey({ ...key, ...change }, kek)).toThrow('key'),
  )

  test('does not open with any byte changed', () => {
    for (let at = 0; at < key.sealed.length; at++) {
      const sealed = key.sealed.slice()
      sealed[at] = (sealed[at] ?? 0) ^ 1
      expect(() => openKey({ ...key, sealed }, kek), `byte ${at}`).toThrow()
    }
  })
})
