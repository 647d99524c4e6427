/** The service's own keys: made once, kept encrypted, opened only under their name and their key-encryption key. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import type { KeyEncryption } from '#src/service/key-encryption.ts'
import { type KeyRoom, makeKey } from '#src/service/key-room.ts'
import { openChallengeKeys, openIssuer } from '#src/service/keys.ts'
import { openKey, sealKey } from '#src/service/sealed-key.ts'
import type { SealedKey } from '#src/service/token-ports.ts'

const AT = new Date('2026-06-01T00:00:00Z')
const random = { bytes: (size: number) => new Uint8Array(randomBytes(size)) }
const kek = (fill: number) => keyEncryptionBySecret('file', new Uint8Array(32).fill(fill))
const room = (change: Partial<KeyRoom> = {}): KeyRoom => ({
  store: memoryStore(),
  random,
  clock: { now: () => AT },
  keyEncryption: [kek(1)],
  ...change,
})
const url = 'https://a.example'
const simulated = { url, assurance: 'simulated' } as const

describe('an issuer', () => {
  test('has the same keys at its second start, and another issuer has others', async () => {
    const here = room()
    const kids = async (name: string) =>
      (await openIssuer(here, { ...simulated, url: name })).issuer.published().map(({ kid }) => kid)
    const first = await kids(url)
    expect(await kids(url)).toEqual(first)
    expect(new Set([...first, ...(await kids('https://b.example'))]).size).toBe(6)
  })

  test('of two replicas that start at once has one key for each form', async () => {
    const here = room()
    const both = await Promise.all([openIssuer(here, simulated), openIssuer(here, simulated)])
    const [a, b] = both.map(({ issuer }) => issuer.published().map(({ kid }) => kid))
    expect(a).toEqual(b)
    expect(await here.store.allKeys()).toHaveLength(3)
  })

  test('of hardware has a key for each form and one for envelopes, and no two share one', async () => {
    const { issuer } = await openIssuer(room(), { url, assurance: 'hardware' })
    expect(issuer.published().map(({ form, jwk }) => `${form} ${jwk.kty}`)).toEqual([
      'possession EC',
      'federation RSA',
      'workload EC',
      'release EC',
    ])
    expect(new Set(issuer.published().map(({ kid }) => kid)).size).toBe(4)
  })

  test('of simulated evidence has no key for federation, and nobody can ask it for one', async () => {
    const here = room()
    const { issuer } = await openIssuer(here, simulated)
    expect(() => issuer.signer('federation', AT)).toThrow('issues no tokens of the form federation')
    expect(issuer.forms).toEqual(['possession', 'workload'])
    expect((await here.store.allKeys()).map(({ purpose }) => purpose)).not.toContain(
      `federation:${url}`,
    )
  })

  test('takes no key of another kind for its own', async () => {
    const here = room()
    const rsa = await makeKey(here, `federation:${url}`, { activeFrom: AT, others: [] })
    const purpose = `possession:${url}` as const
    const secret = await openKey(rsa, here.keyEncryption)
    const sealed = await sealKey({ kid: rsa.kid, purpose }, secret, { encryption: kek(1), random })
    await here.store.keepFirstKey({ ...rsa, purpose, sealed })
    await expect(openIssuer(here, simulated)).rejects.toThrow('not a P-256 key')
  })
})

test('challenge keys are the same at the second start', async () => {
  const here = room()
  const keysOf = async () => (await openChallengeKeys(here)).keys.opening()
  expect(await keysOf()).toEqual(await keysOf())
})

describe('a key-encryption key', () => {
  test('that is another one opens nothing, and both are named', async () => {
    const { store } = room()
    await openChallengeKeys(room({ store }))
    const other = openChallengeKeys(room({ store, keyEncryption: [kek(2)] }))
    await expect(other).rejects.toThrow(/sealed under the key-encryption key \w{16}, and this/)
    await expect(other).rejects.toMatchObject({ code: 'configuration-invalid' })
  })

  test('of before still opens what it sealed, and seals nothing new', async () => {
    const { store } = room()
    const first = await openChallengeKeys(room({ store }))
    const here = room({ store, keyEncryption: [kek(2), kek(1)] })
    const again = await openChallengeKeys(here)
    expect(again.keys.opening()).toEqual(first.keys.opening())
    const made = await makeKey(here, 'challenge', { activeFrom: AT, others: [] })
    await expect(openKey(made, [kek(1)])).rejects.toThrow('does not open')
    expect(await openKey(made, [kek(2)])).toHaveLength(32)
  })

  test('that cannot be reached leaves no key half made', async () => {
    const gone: KeyEncryption = {
      ...kek(1),
      wrap: () => Promise.reject(new Error('the device is gone')),
    }
    const here = room({ keyEncryption: [gone] })
    await expect(openChallengeKeys(here)).rejects.toThrow('the device is gone')
    expect(await here.store.allKeys()).toEqual([])
  })
})

test('a key of a form that this version has left behind is followed by a new one', async () => {
  const here = room()
  const old = {
    kid: 'aaaa',
    purpose: 'challenge',
    createdAt: AT,
    activeFrom: AT,
    revokedAt: undefined,
    sealed: new Uint8Array(80).fill(1),
  } as const
  await here.store.keepFirstKey(old)
  const { keys } = await openChallengeKeys(here)
  expect(keys.opening()).toHaveLength(1)
  expect(await here.store.keysFor('challenge')).toHaveLength(2)
})

describe('a sealed key', async () => {
  const secret = new TextEncoder().encode('a private key in DER')
  const name = { kid: 'k', purpose: 'challenge' } as const
  const key: SealedKey = {
    ...name,
    createdAt: new Date(0),
    activeFrom: new Date(0),
    revokedAt: undefined,
    sealed: await sealKey(name, secret, { encryption: kek(1), random }),
  }

  test('opens to what was sealed', async () => expect(await openKey(key, [kek(1)])).toEqual(secret))

  test('is another at every sealing', async () =>
    expect(await sealKey(name, secret, { encryption: kek(1), random })).not.toEqual(key.sealed))

  test.each<[string, Partial<SealedKey>]>([
    ['another purpose', { purpose: 'possession:https://a.example' }],
    ['another id', { kid: 'l' }],
    ['no bytes', { sealed: new Uint8Array() }],
    ['half its bytes', { sealed: key.sealed.subarray(0, 50) }],
    ['a form of the future', { sealed: new Uint8Array([3, ...key.sealed.subarray(1)]) }],
  ])('does not open under %s', async (_, change) => {
    await expect(openKey({ ...key, ...change }, [kek(1)])).rejects.toThrow('key')
  })

  test('does not open with any byte changed', async () => {
    for (let at = 0; at < key.sealed.length; at++) {
      const sealed = key.sealed.slice()
      sealed[at] = (sealed[at] ?? 0) ^ 1
      await expect(openKey({ ...key, sealed }, [kek(1)]), `byte ${at}`).rejects.toThrow()
    }
  })
})
