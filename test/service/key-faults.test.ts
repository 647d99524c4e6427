/** What may go wrong about keys: clocks that step, a database that fails, rows that do not open, another key-encryption key. */
import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { revokeKey, rotateKeys } from '#src/service/key-rotation.ts'
import { openIssuer } from '#src/service/keys.ts'
import type { Store } from '#src/service/ports.ts'
import { resealKeys } from '#src/service/reseal-keys.ts'
import { isForgotten, sealedUnder } from '#src/service/sealed-key.ts'
import { signToken } from '#src/token/issuer.ts'
import { jwkSet } from '#src/token/jwk-set.ts'
import { DAY, HOUR, MINUTE, possession, replica, START, url } from './key-replica.ts'

describe('a clock that steps', () => {
  test.each([
    ['back by an hour', -HOUR],
    ['back to 1970', -START],
    ['forward by an hour', HOUR],
    ['forward by ten years', 3650 * DAY],
  ])('%s leaves a signer, published, and comes back to the same', async (_, step) => {
    const here = await replica()
    here.clock.at += 30 * DAY
    await here.tend()
    here.clock.at += HOUR
    await here.tend()
    const before = here.kid()
    here.clock.at += step
    for (let minutes = 0; minutes < 20; minutes++) {
      await here.tend()
      expect(here.kids()).toContain(here.kid())
      here.clock.at += MINUTE
    }
    here.clock.at -= step
    await here.tend()
    expect(here.kids()).toContain(here.kid())
    expect(here.kids()).toContain(before)
  })

  test('forward twice, by more than a rotation each time, forgets no key whose tokens are still good', async () => {
    const here = await replica(memoryStore(), START, 'while its clock is steady')
    here.letClockPass(2 * HOUR)
    const before = { kid: here.kid(), challenge: here.challenges.issuing(here.now()) }
    const at = here.now()
    const token = await signToken(here.issuer, { form: 'possession', claims: {}, at })
    for (const step of [40 * DAY, 40 * DAY]) {
      here.clock.at += step
      for (let minutes = 0; minutes < 60; minutes++) {
        here.letClockPass(MINUTE)
        await here.tend()
        // Relying parties whose clocks are right ask meanwhile.
        expect(here.kids()).toContain(before.kid)
      }
    }
    here.clock.at = at.getTime() + 2 * HOUR
    await here.tend()
    expect(here.kid()).toBe(before.kid)
    expect(here.challenges.opening()).toContainEqual(before.challenge)
    const { keys } = jwkSet(here.issuer)
    await jwtVerify(token, createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) }))
    // And what the wrong clock made neither signs nor keeps the right one from following.
    here.letClockPass(31 * DAY)
    await here.tend()
    here.letClockPass(HOUR)
    await here.tend()
    expect(here.kid()).not.toBe(before.kid)
    here.letClockPass(2 * DAY)
    await here.tend()
    expect(here.kids()).not.toContain(before.kid)
  })

  test('forward and back does not end rotation', async () => {
    const here = await replica()
    here.clock.at += 3650 * DAY
    await here.tend()
    here.clock.at -= 3650 * DAY
    here.clock.at += 31 * DAY
    await here.tend()
    here.clock.at += HOUR
    await here.tend()
    const signer = here.kid()
    const [key] = (await here.room.store.keysFor(possession)).filter(({ kid }) => kid === signer)
    expect(key?.activeFrom.getTime()).toBeGreaterThan(START + 30 * DAY)
  })
})

describe('a database that fails', () => {
  test('leaves a replica the keys that it has', async () => {
    const store = memoryStore()
    const gone = { is: false }
    const here = await replica({
      ...store,
      keysFor: async (purpose) => {
        if (gone.is) throw new Error('the database is gone')
        return await store.keysFor(purpose)
      },
    })
    const kid = here.kid()
    gone.is = true
    await expect(here.tend()).rejects.toThrow('the database is gone')
    expect(here.kid()).toBe(kid)
    expect(here.kids()).toEqual([kid])
  })

  test('between the replacement and the revocation leaves the key to be revoked again', async () => {
    const store = memoryStore()
    const fails = { once: true }
    const here = await replica({
      ...store,
      revokeKey: async (...asked) => {
        if (fails.once) {
          fails.once = false
          throw new Error('the database is gone')
        }
        return await store.revokeKey(...asked)
      },
    })
    const kid = here.kid()
    here.clock.at += MINUTE
    await expect(revokeKey(here.room, { kid, by: 'otto' })).rejects.toThrow('gone')
    await here.hear()
    expect(here.kid()).not.toBe(kid)
    await revokeKey(here.room, { kid, by: 'otto' })
    await here.hear()
    expect(here.kids()).not.toContain(kid)
    expect(here.kids()).toHaveLength(1)
  })

  test('with a row that does not open takes nothing from the others, and says so', async () => {
    const here = await replica()
    const other = keyEncryptionBySecret('file', new Uint8Array(32).fill(9))
    const changed = await rotateKeys(
      { ...here.room, keyEncryption: [other] },
      { purposes: [possession], by: 'otto' },
    )
    await expect(here.tend()).rejects.toThrow(changed[0]?.kid)
    expect(here.kids()).toEqual([here.kid()])
    expect(here.challenges.opening()).toHaveLength(1)
  })
})

describe('under another key-encryption key', () => {
  const target = keyEncryptionBySecret('file', new Uint8Array(32).fill(2))

  test('every row is put, and opens for whoever has the new one alone', async () => {
    const here = await replica()
    const before = here.kids()
    expect(await resealKeys(here.room, target)).toEqual({ resealed: 4, already: 0 })
    expect(await resealKeys(here.room, target)).toEqual({ resealed: 0, already: 4 })
    for (const key of await here.room.store.allKeys()) expect(sealedUnder(key)).toEqual(target.id)
    const { issuer } = await openIssuer(
      { ...here.room, keyEncryption: [target] },
      { url, assurance: 'simulated' },
    )
    expect(issuer.published().map(({ kid }) => kid)).toEqual(expect.arrayContaining([...before]))
  })

  test('a key that does not open leaves every row as it was', async () => {
    const here = await replica()
    const other = keyEncryptionBySecret('file', new Uint8Array(32).fill(9))
    await rotateKeys(
      { ...here.room, keyEncryption: [other] },
      { purposes: [possession], by: 'otto' },
    )
    const before = await here.room.store.allKeys()
    await expect(resealKeys(here.room, target)).rejects.toThrow('does not open')
    expect(await here.room.store.allKeys()).toEqual(before)
  })

  test('a key that a running service adds meanwhile is put there too', async () => {
    const here = await replica()
    let isFirst = true
    const room = {
      ...here.room,
      store: {
        ...here.room.store,
        resealKeys: async (changes: Parameters<Store['resealKeys']>[0]) => {
          if (!isFirst) return await here.room.store.resealKeys(changes)
          isFirst = false
          await rotateKeys(here.room, { purposes: [possession], by: 'otto' })
          return false
        },
      },
    }
    expect(await resealKeys(room, target)).toEqual({ resealed: 5, already: 0 })
    expect((await here.room.store.allKeys()).some(isForgotten)).toBe(false)
  })
})
