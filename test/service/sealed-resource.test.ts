/** Secrets at rest: each opens under its own tenant, name and version and nowhere else; and keys of before still open. */
import { describe, expect, test } from 'vitest'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { systemRandom } from '#src/adapters/system.ts'
import { putResource } from '#src/service/put-resource.ts'
import { resealResources } from '#src/service/reseal-resources.ts'
import { LARGEST_SECRET } from '#src/service/resource-name.ts'
import { openKey } from '#src/service/sealed-key.ts'
import { openResource, sealedUnder, sealResource } from '#src/service/sealed-resource.ts'

const kek = (fill: number) => keyEncryptionBySecret('file', new Uint8Array(32).fill(fill))
const name = { tenant: 'default', name: 'secret:db', version: 3 }
const secret = new TextEncoder().encode('a planted secret')
const sealing = { encryption: kek(1), random: systemRandom }

describe('a sealed secret', () => {
  test('opens to what was sealed, and no two sealings are alike', async () => {
    const [one, other] = [
      await sealResource(name, secret, sealing),
      await sealResource(name, secret, sealing),
    ]
    expect(one).not.toEqual(other)
    expect(await openResource(name, one, [kek(2), kek(1)])).toEqual(secret)
    expect(Buffer.from(one).includes('planted')).toBe(false)
    expect(sealedUnder({ sealed: one })).toEqual(kek(1).id)
  })

  test.each([1, LARGEST_SECRET])('of %i bytes opens', async (size) => {
    const bytes = new Uint8Array(size).fill(5)
    expect(await openResource(name, await sealResource(name, bytes, sealing), [kek(1)])).toEqual(
      bytes,
    )
  })

  test('of no bytes is none', async () => {
    await expect(sealResource(name, new Uint8Array(), sealing)).rejects.toThrow('nothing to seal')
  })

  test.each([
    ['another tenant', { tenant: 'acme' }],
    ['another name', { name: 'secret:db2' }],
    ['another version', { version: 2 }],
    ['names that read alike when they are joined', { name: 'secret:d', version: 3 }],
  ])('does not open as %s', async (_, change) => {
    const sealed = await sealResource(name, secret, sealing)
    await expect(openResource({ ...name, ...change }, sealed, [kek(1)])).rejects.toThrow(
      'does not open under file',
    )
  })

  test('does not open with any byte changed, cut off or added', async () => {
    const sealed = await sealResource(name, secret, sealing)
    for (let at = 0; at < sealed.length; at++) {
      const changed = sealed.with(at, (sealed[at] ?? 0) ^ 1)
      await expect(openResource(name, changed, [kek(1)]), `byte ${at}`).rejects.toThrow()
    }
    for (const size of [0, 1, 11, 60, sealed.length - 1])
      await expect(openResource(name, sealed.subarray(0, size), [kek(1)])).rejects.toThrow()
    await expect(openResource(name, Buffer.concat([sealed, sealed]), [kek(1)])).rejects.toThrow()
  })

  test('under a key that is not here is told of by the ids of keys', async () => {
    const sealed = await sealResource(name, secret, sealing)
    await expect(openResource(name, sealed, [kek(2)])).rejects.toThrow(
      `version 3 of secret:db (tenant default) does not open: it is sealed under the key-encryption key ${Buffer.from(kek(1).id).toString('hex')}`,
    )
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
    return (
      kept && (await openResource({ tenant, name: 'secret:a', version: 2 }, kept.sealed, [kek(2)]))
    )
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
