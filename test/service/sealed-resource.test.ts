/** Secrets at rest: each opens under its own tenant, name and version and nowhere else; and keys of before still open. */
import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { systemRandom } from '#src/adapters/system.ts'
import { putResource } from '#src/service/put-resource.ts'
import { resealResources } from '#src/service/reseal-resources.ts'
import { LARGEST_SECRET } from '#src/service/resource-name.ts'
import { type ResourceSettings, settledBy } from '#src/service/resource-settings.ts'
import { openKey } from '#src/service/sealed-key.ts'
import {
  openResource,
  openSealed,
  sealedUnder,
  sealResource,
} from '#src/service/sealed-resource.ts'
import { leaf } from '../adapters/store-records.ts'

const kek = (fill: number) => keyEncryptionBySecret('file', new Uint8Array(32).fill(fill))
const name = { tenant: 'default', name: 'secret:db', version: 3 }
const secret = new TextEncoder().encode('a planted secret')
const settings = settledBy(undefined, {})
const content = { secret, settings }
const sealing = { encryption: kek(1), random: systemRandom }

describe('a sealed secret', () => {
  test('opens to what was sealed, and no two sealings are alike', async () => {
    const [one, other] = [
      await sealResource(name, content, sealing),
      await sealResource(name, content, sealing),
    ]
    expect(one).not.toEqual(other)
    expect(await openSealed(name, one, [kek(2), kek(1)])).toEqual(content)
    expect(Buffer.from(one).includes('planted')).toBe(false)
    expect(sealedUnder({ sealed: one })).toEqual(kek(1).id)
  })

  test.each([1, LARGEST_SECRET])('of %i bytes opens', async (size) => {
    const bytes = new Uint8Array(size).fill(5)
    const sealed = await sealResource(name, { secret: bytes, settings }, sealing)
    expect((await openSealed(name, sealed, [kek(1)])).secret).toEqual(bytes)
  })

  test('of no bytes is none', async () => {
    await expect(
      sealResource(name, { secret: new Uint8Array(), settings }, sealing),
    ).rejects.toThrow('nothing to seal')
  })

  test.each([
    ['another tenant', { tenant: 'acme' }],
    ['another name', { name: 'secret:db2' }],
    ['another version', { version: 2 }],
    ['names that read alike when they are joined', { name: 'secret:d', version: 3 }],
  ])('does not open as %s', async (_, change) => {
    const sealed = await sealResource(name, content, sealing)
    await expect(openSealed({ ...name, ...change }, sealed, [kek(1)])).rejects.toThrow(
      'does not open under file',
    )
  })

  test('does not open with any byte changed, cut off or added', async () => {
    const sealed = await sealResource(name, content, sealing)
    for (let at = 0; at < sealed.length; at++) {
      const changed = sealed.with(at, (sealed[at] ?? 0) ^ 1)
      await expect(openSealed(name, changed, [kek(1)]), `byte ${at}`).rejects.toThrow()
    }
    for (const size of [0, 1, 11, 60, sealed.length - 1])
      await expect(openSealed(name, sealed.subarray(0, size), [kek(1)])).rejects.toThrow()
    await expect(openSealed(name, Buffer.concat([sealed, sealed]), [kek(1)])).rejects.toThrow()
  })

  test('under a key that is not here is told of by the ids of keys', async () => {
    const sealed = await sealResource(name, content, sealing)
    await expect(openSealed(name, sealed, [kek(2)])).rejects.toThrow(
      `version 3 of secret:db (tenant default) does not open: it is sealed under the key-encryption key ${Buffer.from(kek(1).id).toString('hex')}`,
    )
  })
})

describe('how it might be had when it was sealed', () => {
  const strict: ResourceSettings = { ...settings, use: 'sign', requiresSession: true }
  const sealedBy = async (said: ResourceSettings) =>
    await sealResource(name, { secret, settings: said }, sealing)
  const openedUnder = async (sealed: Uint8Array, now: ResourceSettings) =>
    (await openResource(name, { sealed, settings: now, createdBy: 'sara' }, [kek(1)])).secret

  test('is how it is opened, and stricter ways are', async () => {
    const sealed = await sealedBy(settings)
    for (const now of [settings, { ...settings, requiresSession: true, approvals: 2 }])
      expect(await openedUnder(sealed, now)).toEqual(secret)
  })

  test.each<[string, Partial<ResourceSettings>, string]>([
    ['another use', { use: 'release' }, 'is there to sign, and not to release'],
    ['no session', { requiresSession: false }, 'is given only inside a session'],
    ['simulated evidence', { acceptsSimulated: true }, 'is given only to evidence of hardware'],
  ])('%s: a row that is looser opens nothing', async (_, change, says) => {
    const sealed = await sealedBy(strict)
    await expect(openedUnder(sealed, { ...strict, ...change })).rejects.toThrow(says)
    await expect(openedUnder(sealed, { ...strict, ...change })).rejects.toThrow(
      'The database was altered',
    )
  })

  test('fewer who must agree, and what they agreed to', async () => {
    const agreed = { ...settings, approvals: 2, releasesPerMinute: 5 }
    const sealed = await sealedBy(agreed)
    for (const change of [{ approvals: 1 }, { releasesPerMinute: 6 }, { leaseSeconds: 301 }])
      await expect(openedUnder(sealed, { ...agreed, ...change })).rejects.toThrow('altered')
  })

  test('who put it there, and the key of agreements to its release', async () => {
    const origin = { createdBy: 'sara', agreementKey: new Uint8Array(32).fill(7) }
    const sealed = await sealResource(name, { ...content, origin }, sealing)
    expect(await openSealed(name, sealed, [kek(1)])).toEqual({ ...content, origin })
    const openedOf = async (createdBy: string) =>
      await openResource(name, { sealed, settings, createdBy }, [kek(1)])
    expect(await openedOf('sara')).toEqual({ secret, agreementKey: origin.agreementKey })
    await expect(openedOf('theo')).rejects.toThrow(
      'as it was sealed, it was put by sara. The database was altered',
    )
  })

  test('what was sealed before that was kept opens as it did, and passes for nothing else', async () => {
    const before = await sealResource(name, { secret, settings: undefined }, sealing)
    expect(before[0]).toBe(2)
    expect(await openedUnder(before, { ...settings, acceptsSimulated: true })).toEqual(secret)
    await expect(openedUnder(Buffer.from([0xf3, ...before]), settings)).rejects.toThrow(
      'does not open',
    )
    const sealed = await sealedBy(strict)
    await expect(openedUnder(sealed.subarray(1), settings)).rejects.toThrow('does not open')
  })

  test('goes along under another key-encryption key', async () => {
    const store = memoryStore()
    const room = { store, random: systemRandom, keyEncryption: [kek(1)] as const }
    const put = { tenant: 'default', name: 'secret:a', settings: strict, by: 'sara' }
    const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' })
    await putResource(
      { ...room, journal: { record: () => {} } },
      { ...put, secret: Buffer.from(pem) },
      new Date('2026-06-01T00:00:00Z'),
    )
    await resealResources(room, ['default'], kek(2))
    const kept = await store.sealedVersion('default', 'secret:a', 1)
    const named = { tenant: 'default', name: 'secret:a', version: 1 }
    const opened = await openSealed(named, kept?.sealed ?? new Uint8Array(), [kek(2)])
    expect(opened).toMatchObject({ settings: { use: 'sign', requiresSession: true } })
  })
})

test('a key that was stored before secrets were opens as it did', async () => {
  const sealed = new Uint8Array(
    Buffer.from(
      'Apv6iz4HrghGADwxSuuxAlJUBd3hxuHRgp+6Px5Mb+2tT9iH9YGI+iFxpNPXm0Opx4NUAKjSIcJOY/wIhMyZ3tFEHdb7hvMAAQIDBAUGBwgJCguZzpcv4+dtXzL9HFepKzEeJiKlfqaXp2+tLvGr04weAvGz',
      'base64',
    ),
  )
  const opened = await openKey({ kid: 'k1', purpose: 'challenge', sealed }, [kek(1)])
  expect(Buffer.from(opened).toString()).toBe('a secret of before')
})

test('over what does not open nobody puts anything before it is revoked, and is told so', async () => {
  const store = memoryStore()
  const room = { store, random: systemRandom, journal: { record: () => {} } }
  const put = { tenant: 'default', name: 'secret:a', settings: {}, secret, by: 'sara' }
  const at = new Date('2026-06-01T00:00:00Z')
  await putResource({ ...room, keyEncryption: [kek(1)] }, put, at)
  const other = { ...room, keyEncryption: [kek(2)] as const }
  const rejected = expect(putResource(other, put, at)).rejects
  await rejected.toMatchObject({ code: 'resource-guarded' })
  await expect(putResource(other, put, at)).rejects.toThrow('does not open: it is sealed under')
  await store.revokeVersions('default', 'secret:a', { versions: 'all', at }, leaf())
  expect((await putResource(other, put, at)).version.version).toBe(2)
})

describe('under another key-encryption key', () => {
  const filled = async () => {
    const store = memoryStore()
    const room = { store, random: systemRandom, keyEncryption: [kek(1)] as const }
    const journal = { record: () => {} }
    for (const tenant of ['default', 'acme'])
      for (const each of ['secret:a', 'secret:b', 'secret:a'])
        await putResource(
          { ...room, journal },
          { tenant, name: each, settings: {}, secret, by: 'sara' },
          new Date('2026-06-01T00:00:00Z'),
        )
    return room
  }
  const opened = async ({ store }: Awaited<ReturnType<typeof filled>>, tenant: string) => {
    const kept = await store.sealedVersion(tenant, 'secret:a', 2)
    const named = { tenant, name: 'secret:a', version: 2 }
    return kept && (await openSealed(named, kept.sealed, [kek(2)])).secret
  }

  test('every version of every tenant that is named opens, and twice is once', async () => {
    const room = await filled()
    expect(await resealResources(room, ['default', 'acme'], kek(2))).toEqual({
      resealed: 6,
      already: 0,
    })
    expect(await opened(room, 'acme')).toEqual(secret)
    expect(await resealResources(room, ['default', 'acme'], kek(2))).toEqual({
      resealed: 0,
      already: 6,
    })
  })

  test('a version that another wrote meanwhile is read again', async () => {
    const room = await filled()
    let interrupted = 0
    const store = {
      ...room.store,
      resealVersions: async (changes: Parameters<typeof room.store.resealVersions>[0]) =>
        interrupted++ === 0 ? false : await room.store.resealVersions(changes),
    }
    expect(await resealResources({ ...room, store }, ['default'], kek(2))).toEqual({
      resealed: 3,
      already: 0,
    })
    expect(await opened(room, 'default')).toEqual(secret)
  })

  test('one that does not open ends it, and is told by name', async () => {
    const room = await filled()
    await expect(
      resealResources({ ...room, keyEncryption: [kek(9)] }, ['default'], kek(2)),
    ).rejects.toThrow('of secret:a (tenant default) does not open')
  })
})
