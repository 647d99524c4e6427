/** What every store must do with tokens, their revocation, status lists, and proofs that may come once. */
import { describe, expect, test } from 'vitest'
import type { Store } from '#src/service/ports.ts'
import type { Revocation, TokenRecord } from '#src/service/token-ports.ts'
import { AT, attestation, LATER, leaf, record, token, uuid } from './store-records.ts'

const tenant = 'tokens'
const revocation: Revocation = {
  at: new Date(AT.getTime() + 1000),
  reason: 'operator',
  detail: 'The key was on a stolen laptop, "said" \\ Bob.',
  by: 'alice',
}
const expired = new Date(AT.getTime() + 500)

export function tokenContract(store: () => Store): void {
  const issued = {
    a: token(uuid(40), { tenant, jti: 'a', status: { list: 40, index: 7 } }),
    b: token(uuid(40), {
      tenant,
      jti: 'b',
      status: { list: 40, index: 3 },
      form: 'federation',
      jkt: 'other',
    }),
    c: token(uuid(41), { tenant, jti: 'c', status: { list: 40, index: 5 }, agent: 'other' }),
    d: token(uuid(41), {
      tenant,
      jti: 'd',
      status: { list: 40, index: 9 },
      scopes: [],
      expiresAt: expired,
    }),
  }
  const { a, b, c, d } = issued
  const keep = async (appraisal: string, tokens: readonly TokenRecord[]) =>
    await store().recordAttestation(attestation(record(appraisal, { tenant }), { tokens }))
  const live = async (selection = {}, at = AT, change = {}) =>
    (await store().liveTokens(tenant, { at, selection, limit: 10, ...change })).map(
      ({ jti }) => jti,
    )

  describe('tokens', () => {
    test('are found by id and by appraisal', async () => {
      await keep(uuid(40), [b, a])
      await keep(uuid(41), [c, d])
      expect(await store().findToken('a')).toEqual({ ...a, revocation: undefined })
      expect(await store().findToken('none')).toBeUndefined()
      expect((await store().tokensOf(uuid(40))).map(({ jti }) => jti)).toEqual(['a', 'b'])
      expect(await store().tokensOf(uuid(99))).toEqual([])
    })

    test('that live are told in pages', async () => {
      expect(await live()).toEqual(['a', 'b', 'c', 'd'])
      expect(await live({}, expired)).toEqual(['a', 'b', 'c'])
      expect(await live({}, AT, { limit: 2 })).toEqual(['a', 'b'])
      expect(await live({}, AT, { limit: 2, after: 'b' })).toEqual(['c', 'd'])
      expect(await store().liveTokens('other', { at: AT, selection: {}, limit: 10 })).toEqual([])
      const [first] = await store().liveTokens(tenant, { at: AT, selection: {}, limit: 1 })
      expect(first).toEqual(a)
    })

    test.each([
      [{ jti: 'b' }, ['b']],
      [{ appraisal: uuid(41) }, ['c', 'd']],
      [{ appraisal: uuid(99) }, []],
      [{ jkt: 'other' }, ['b']],
      [{ environment: 'prod', agent: 'other' }, ['c']],
      [{ environment: 'dev' }, []],
      [{ jkt: 'other', agent: 'other' }, []],
    ])('are selected by %j', async (selection, expected) =>
      expect(await live(selection)).toEqual(expected),
    )

    test('of them those that live are revoked, with a leaf and an event each', async () => {
      const since = await store().lastEvent()
      const leaves = new Map([a, b, c].map(({ jti }) => [jti, leaf({ kind: 'revocation' })]))
      const leafOf = ({ jti }: TokenRecord) => leaves.get(jti) ?? leaf()
      const jtis = ['c', 'none', 'd', 'a']
      expect(await store().revokeTokens(jtis, revocation, leafOf)).toEqual([a, c])
      expect(await store().findToken('a')).toEqual({ ...a, revocation })
      expect(await live({}, expired)).toEqual(['b'])
      for (const [jti, { leafHash }] of leaves)
        expect(await store().leafPlace(leafHash)).toEqual(
          jti === 'b' ? undefined : { in: 'waiting' },
        )
      const events = await store().eventsAfter(since, 10)
      expect(events.map(({ sequence }) => sequence)).toEqual([since + 1, since + 2])
      expect(events[0]).toEqual({
        sequence: since + 1,
        at: revocation.at,
        kind: 'token.revoked',
        tenant,
        fields: {
          jti: 'a',
          appraisal: uuid(40),
          environment: 'prod',
          agent: 'invoice-bot',
          form: 'possession',
          issuer: a.issuer,
          subject: a.subject,
          jkt: a.jkt,
          list: 40,
          index: 7,
          expiresAt: LATER.toISOString(),
          reason: 'operator',
        },
      })
    })

    test('are not revoked twice', async () => {
      const since = await store().lastEvent()
      expect(await store().revokeTokens(['a'], revocation, () => leaf())).toEqual([])
      expect(await store().lastEvent()).toBe(since)
    })

    test('one whose leaf cannot be queued is not revoked', async () => {
      const since = await store().lastEvent()
      const waiting = leaf()
      await store().recordAttestation(attestation(record(uuid(42)), { leaf: waiting }))
      const attempt = store().revokeTokens(['b'], revocation, () => waiting)
      await expect(attempt).rejects.toThrow('storage-unavailable')
      expect(await live({}, expired)).toEqual(['b'])
      expect(await store().lastEvent()).toBe(since)
    })

    test('many who revoke the same ones at once revoke each once', async () => {
      const tokens = Array.from({ length: 20 }, (_, n) => token(uuid(43), { jti: `race-${n}` }))
      await store().recordAttestation(attestation(record(uuid(43)), { tokens }))
      const jtis = tokens.map(({ jti }) => jti)
      const orders = [jtis, jtis.toReversed(), jtis.slice(5), jtis.slice(0, 15).toReversed()]
      const revoked = await Promise.all(
        orders.map((order) => store().revokeTokens(order, revocation, () => leaf())),
      )
      expect(
        revoked
          .flat()
          .map(({ jti }) => jti)
          .toSorted(),
      ).toEqual(jtis.toSorted())
    })
  })

  describe('status lists', () => {
    const take = async (issuer: string, size = 10) =>
      await store().takeStatusBlock(issuer, { size, capacity: 100, at: AT })

    test('tell who was revoked and has not expired', async () => {
      const block = await take('https://s.example')
      const status = (index: number) => ({ list: block.list, index })
      const tokens = [
        token(uuid(50), { tenant, jti: 's1', status: status(1) }),
        token(uuid(50), { tenant, jti: 's2', status: status(2), expiresAt: expired }),
        token(uuid(50), { tenant, jti: 's3', status: status(0) }),
        token(uuid(50), { tenant, jti: 's4', status: status(4) }),
      ]
      await keep(uuid(50), tokens)
      await store().revokeTokens(['s1', 's2', 's3'], { ...revocation, at: AT }, () => leaf())
      const issuer = 'https://s.example'
      expect(await store().statusList(block.list, AT)).toEqual({ issuer, revoked: [0, 1, 2] })
      expect(await store().statusList(block.list, expired)).toEqual({ issuer, revoked: [0, 1] })
      expect(await store().statusList(99_999, AT)).toBeUndefined()
    })

    test('give no slot twice, whoever asks at the same time', async () => {
      const blocks = await Promise.all(Array.from({ length: 25 }, () => take('https://b.example')))
      const slots = blocks.map(({ list, first }) => `${list}/${first}`)
      expect(new Set(slots).size).toBe(25)
      const lists = Map.groupBy(blocks, ({ list }) => list)
      expect([...lists.values()].map(({ length }) => length).toSorted()).toEqual([10, 10, 5])
      for (const { first, size } of blocks) expect(first % 10 === 0 && size === 10).toBe(true)
    })

    test('belong to one issuer each, and are followed by another when a block does not fit', async () => {
      const one = await take('https://one.example', 60)
      const other = await take('https://other.example', 60)
      const next = await take('https://one.example', 60)
      expect(new Set([one.list, other.list, next.list]).size).toBe(3)
      expect([one.first, next.first]).toEqual([0, 0])
      expect((await store().statusList(next.list, AT))?.issuer).toBe('https://one.example')
      await expect(take('https://one.example', 101)).rejects.toThrow()
    })
  })

  describe('proofs', () => {
    test('come once, whoever brings them at the same time', async () => {
      const brought = await Promise.all(
        Array.from({ length: 50 }, () => store().useOnce('dpop', 'proof', LATER)),
      )
      expect(brought.filter(Boolean)).toHaveLength(1)
      expect(await store().useOnce('dpop', 'another', expired)).toBe(true)
    })

    test('and tokens are forgotten once they have expired', async () => {
      expect(await store().pruneTokens(new Date(expired.getTime() + 1))).toBe(2)
      expect(await store().findToken('d')).toBeUndefined()
      expect(await store().findToken('a')).toBeDefined()
      expect(await store().useOnce('dpop', 'proof', LATER)).toBe(false)
      expect(await store().useOnce('dpop', 'another', LATER)).toBe(true)
    })
  })
}
