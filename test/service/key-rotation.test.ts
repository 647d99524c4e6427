/** Keys following one another: replicas with one store, clocks that the test moves, and what relying parties see meanwhile. */
import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { issueChallenge, openChallenge } from '#src/service/challenge.ts'
import { revokeKey, rotateKeys } from '#src/service/key-rotation.ts'
import { signToken } from '#src/token/issuer.ts'
import { jwkSet, spiffeBundle } from '#src/token/jwk-set.ts'
import { DAY, HOUR, MINUTE, possession, replica, START, url } from './key-replica.ts'

describe('by the calendar', () => {
  test('a key signs for thirty days, the next is published a quarter of an hour before it signs', async () => {
    const here = await replica()
    const first = here.kid()
    here.clock.at += 30 * DAY - 1
    await here.tend()
    expect(here.kids()).toEqual([first])
    here.clock.at += 1
    await here.tend()
    const [next, ...others] = here.kids()
    expect(others).toEqual([first])
    expect(here.kid()).toBe(first)
    here.clock.at += 15 * MINUTE - 1
    expect(here.kid()).toBe(first)
    here.clock.at += 1
    expect(here.kid()).toBe(next)
    expect(here.kids()).toEqual([next, first])
    expect(here.journal.filter(({ event }) => event === 'keys.rotated')).toContainEqual(
      expect.objectContaining({
        fields: expect.objectContaining({ purpose: possession, kid: next }),
      }),
    )
  })

  test('a retired key is published for a day, and until it is forgotten', async () => {
    const here = await replica()
    const first = here.kid()
    here.clock.at += 30 * DAY
    await here.tend()
    here.clock.at += DAY + 15 * MINUTE - 1
    await here.tend()
    expect(here.kids()).toContain(first)
    here.clock.at += 1
    expect(here.kids()).toContain(first)
    await here.tend()
    expect(here.kids()).not.toContain(first)
    expect((await here.room.store.keysFor(possession)).map(({ kid }) => kid)).not.toContain(first)
  })

  test('challenge keys follow one another daily, and older ones are still answered', async () => {
    const here = await replica()
    const context = { purpose: 'attestation', tenant: 'acme', at: new Date(START + DAY) } as const
    const first = here.challenges.issuing(here.now())
    here.clock.at += DAY
    await here.tend()
    here.clock.at += 15 * MINUTE
    expect(here.challenges.issuing(here.now())).not.toEqual(first)
    const { nonce } = issueChallenge(first, new Uint8Array(32), context)
    expect(openChallenge(here.challenges.opening(), nonce, context)).toBeDefined()
  })

  test('the key of the transparency log stays: it is the name of the log', async () => {
    const here = await replica()
    const [signing] = await here.room.store.allKeys()
    if (!signing) throw new Error('no key')
    await here.room.store.keepFirstKey({ ...signing, kid: 'log-key', purpose: 'log' })
    here.clock.at += 400 * DAY
    await here.tend()
    expect(await here.room.store.keysFor('log')).toHaveLength(1)
    await expect(revokeKey(here.room, { kid: 'log-key', by: 'otto' })).rejects.toThrow(
      'not revoked here',
    )
  })

  test('a token that any key signed verifies under what was published before it was signed', async () => {
    const here = await replica()
    let fetched = jwkSet(here.issuer)
    const keys = new Set<string>()
    // Relying parties fetch every five minutes; the chore runs as often here, for 62 days.
    for (let step = 0; step < 62 * 8; step++) {
      here.clock.at += 3 * HOUR
      for (let minutes = 0; minutes < 20; minutes += 5) {
        here.clock.at += 5 * MINUTE
        const at = here.now()
        const token = await signToken(here.issuer, { form: 'possession', claims: { step }, at })
        const known = createLocalJWKSet({ keys: fetched.keys.map((key) => ({ ...key })) })
        const { protectedHeader } = await jwtVerify(token, known)
        keys.add(protectedHeader.kid ?? '')
        if (minutes > 0) fetched = jwkSet(here.issuer)
        if (step % 8 === 0) await here.tend()
      }
      fetched = jwkSet(here.issuer)
    }
    expect(keys.size).toBeGreaterThanOrEqual(3)
  })
})

describe('replicas of one database', () => {
  test('rotate once, whoever is first', async () => {
    const store = memoryStore()
    const all = await Promise.all([replica(store), replica(store), replica(store)])
    for (const each of all) each.clock.at += 30 * DAY
    await Promise.all(all.map((each) => each.tend()))
    expect(await store.keysFor(possession)).toHaveLength(2)
    for (const each of all) await each.hear()
    expect(new Set(all.map((each) => each.kids().join(' '))).size).toBe(1)
  })

  test('hear of a rotation by its event', async () => {
    const store = memoryStore()
    const [one, other] = [await replica(store), await replica(store)]
    await rotateKeys(one.room, { purposes: [possession], by: 'otto' })
    await other.hear()
    expect(other.kids()).toHaveLength(2)
  })

  test('publish bundles of the same sequence, which rises', async () => {
    const store = memoryStore()
    const [one, other] = [await replica(store), await replica(store)]
    const before = spiffeBundle(one.issuer)
    one.clock.at += MINUTE
    other.clock.at += MINUTE
    await rotateKeys(one.room, { purposes: [`workload:${url}`], by: 'otto' })
    await Promise.all([one.hear(), other.hear()])
    const after = spiffeBundle(one.issuer)
    expect(after.spiffe_sequence).toBeGreaterThan(before.spiffe_sequence)
    expect(spiffeBundle(other.issuer)).toEqual(after)
  })
})

describe('an operator', () => {
  test('rotates at will, and twice is once', async () => {
    const here = await replica()
    const first = await rotateKeys(here.room, { purposes: [possession, 'challenge'], by: 'otto' })
    expect(first.map(({ purpose }) => purpose)).toEqual([possession, 'challenge'])
    expect(
      await rotateKeys(here.room, { purposes: [possession, 'challenge'], by: 'otto' }),
    ).toEqual(first)
  })

  test('revokes what signs: another signs at once, and nothing of it is published', async () => {
    const here = await replica()
    const bad = here.kid()
    const at = here.now()
    const token = await signToken(here.issuer, { form: 'possession', claims: {}, at })
    here.clock.at += MINUTE
    const { replacement } = await revokeKey(here.room, { kid: bad, by: 'otto' })
    await here.hear()
    expect(here.kid()).toBe(replacement?.kid)
    expect(here.kids()).toEqual([replacement?.kid])
    const { keys } = jwkSet(here.issuer)
    await expect(
      jwtVerify(token, createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) })),
    ).rejects.toThrow('no applicable key')
    expect(here.journal).toContainEqual(
      expect.objectContaining({
        event: 'keys.revoked',
        fields: { purpose: possession, kid: bad, by: 'otto' },
      }),
    )
  })

  test('revokes what is to sign, and the next due one is made anew', async () => {
    const here = await replica()
    here.clock.at += 30 * DAY
    await here.tend()
    const [next] = here.kids()
    const { replacement } = await revokeKey(here.room, { kid: next ?? '', by: 'otto' })
    expect(replacement).toBeUndefined()
    await here.tend()
    expect(here.kids()).toHaveLength(2)
    expect(here.kids()).not.toContain(next)
  })

  test('revokes a challenge key, and what it issued opens no more', async () => {
    const here = await replica()
    const context = { purpose: 'attestation', tenant: 'acme', at: here.now() } as const
    const key = here.challenges.issuing(here.now())
    const { nonce } = issueChallenge(key, new Uint8Array(32), context)
    await revokeKey(here.room, { kid: Buffer.from(key.id).toString('hex'), by: 'otto' })
    await here.hear()
    expect(() => openChallenge(here.challenges.opening(), nonce, context)).toThrow('not issued')
  })

  test('cannot revoke twice, nor what is not there', async () => {
    const here = await replica()
    const kid = here.kid()
    await revokeKey(here.room, { kid, by: 'otto' })
    await expect(revokeKey(here.room, { kid, by: 'otto' })).rejects.toMatchObject({
      code: 'key-unknown',
      detail: expect.stringContaining('was revoked at'),
    })
    await expect(revokeKey(here.room, { kid: 'nobody', by: 'otto' })).rejects.toMatchObject({
      code: 'key-unknown',
    })
  })

  test('revokes on one replica what the other stops signing with when it hears of it', async () => {
    const store = memoryStore()
    const [one, other] = [await replica(store), await replica(store)]
    const bad = one.kid()
    await revokeKey(one.room, { kid: bad, by: 'otto' })
    expect(other.kid()).toBe(bad)
    await other.hear()
    expect(other.kid()).not.toBe(bad)
  })
})

test('every key that follows another, and every revocation, waits for the log', async () => {
  const here = await replica()
  const before = await here.room.store.countWaitingLeaves()
  const [made] = await rotateKeys(here.room, { purposes: [possession], by: 'otto' })
  if (!made) throw new Error('nothing was rotated')
  const after = await here.room.store.countWaitingLeaves()
  expect(after).toBeGreaterThan(before)
  await revokeKey(here.room, { kid: made.kid, by: 'otto' })
  expect(await here.room.store.countWaitingLeaves()).toBeGreaterThan(after)
})
