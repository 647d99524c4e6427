/** What every store must do with keys, and with events, which tell of them. */
import { describe, expect, test } from 'vitest'
import type { Store } from '#src/service/ports.ts'
import { AT, LATER, leaf, sealed } from './store-records.ts'

const later = (ms: number) => new Date(AT.getTime() + ms)

export function keyContract(store: () => Store): void {
  describe('keys', () => {
    test('the first key of a purpose stays, whoever asks at the same time', async () => {
      const made = Array.from({ length: 10 }, (_, n) => sealed(`k${n}`, { activeFrom: later(n) }))
      const kept = await Promise.all(made.map((key) => store().keepFirstKey(key)))
      expect(new Set(kept.map(({ kid }) => kid)).size).toBe(1)
      expect(await store().keysFor('challenge')).toEqual([kept[0]])
      expect(await store().keysFor('possession:https://a.example')).toEqual([])
    })

    test('of ten successors at once one is added, told once, and comes first', async () => {
      const [first] = await store().keysFor('challenge')
      const since = await store().lastEvent()
      const waiting = await store().countWaitingLeaves()
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          store().addKey(
            sealed(`s${n}`, { activeFrom: LATER }),
            first?.kid ?? '',
            leaf({ kind: 'keys', subject: `s${n}` }),
          ),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'added')).toHaveLength(1)
      const winner = `s${outcomes.indexOf('added')}`
      expect(await store().countWaitingLeaves()).toBe(waiting + 1)
      expect((await store().keysFor('challenge')).map(({ kid }) => kid)).toEqual([
        winner,
        first?.kid,
      ])
      expect(await store().eventsAfter(since, 20)).toEqual([
        {
          sequence: since + 1,
          at: AT,
          kind: 'keys.changed',
          tenant: undefined,
          fields: { purpose: 'challenge', kid: winner },
        },
      ])
    })

    test('a key is revoked once', async () => {
      await store().keepFirstKey(sealed('r', { purpose: 'log' }))
      const since = await store().lastEvent()
      const waiting = await store().countWaitingLeaves()
      const revoked = leaf({ kind: 'keys' })
      expect(await store().revokeKey('log', 'r', { at: LATER, leaf: revoked })).toBe(true)
      const again = { at: later(1e6), leaf: leaf({ kind: 'keys' }) }
      expect(await store().revokeKey('log', 'r', again)).toBe(false)
      expect(await store().revokeKey('log', 'none', again)).toBe(false)
      // What did not happen has no leaf.
      expect(await store().countWaitingLeaves()).toBe(waiting + 1)
      expect(await store().leafPlace(revoked.leafHash)).toEqual({ in: 'waiting' })
      expect(await store().leafPlace(again.leaf.leafHash)).toBeUndefined()
      expect(await store().keysFor('log')).toEqual([
        sealed('r', { purpose: 'log', revokedAt: LATER }),
      ])
      expect(await store().lastEvent()).toBe(since + 1)
    })

    test('every key is listed, the newest first, and forgotten by name', async () => {
      const purpose = 'workload:https://a.example'
      await store().keepFirstKey(sealed('w', { purpose, activeFrom: later(1e9) }))
      const all = await store().allKeys()
      expect(all[0]?.kid).toBe('w')
      expect(all.map(({ activeFrom }) => activeFrom.getTime())).toEqual(
        all.map(({ activeFrom }) => activeFrom.getTime()).toSorted((a, b) => b - a),
      )
      await store().forgetKeys('challenge', ['w'])
      expect(await store().keysFor(purpose)).toHaveLength(1)
      await store().forgetKeys(purpose, ['w', 'none'])
      expect(await store().keysFor(purpose)).toEqual([])
      await store().forgetKeys(purpose, [])
    })

    test('keys are sealed anew all together or not at all', async () => {
      const purpose = 'federation:https://a.example'
      const from = new Uint8Array([1])
      const to = new Uint8Array([2, 0])
      await store().keepFirstKey(sealed('one', { purpose, sealed: from }))
      await store().addKey(
        sealed('two', { purpose, sealed: from, activeFrom: LATER }),
        'one',
        leaf({ kind: 'keys' }),
      )
      const change = (kid: string, before = from) => ({ purpose, kid, from: before, to }) as const
      expect(await store().resealKeys([change('one'), change('two', to)])).toBe(false)
      expect(await store().resealKeys([change('one'), change('none')])).toBe(false)
      const seals = async () => (await store().keysFor(purpose)).map((key) => key.sealed)
      expect(await seals()).toEqual([from, from])
      expect(await store().resealKeys([change('one'), change('two')])).toBe(true)
      expect(await seals()).toEqual([to, to])
    })
  })

  describe('events', () => {
    test('are read in pages, and the newest outlives every pruning', async () => {
      await store().keepFirstKey(sealed('e', { purpose: 'possession:https://e.example' }))
      const since = await store().lastEvent()
      for (const [n, kid] of ['e', 'f', 'g', 'h'].entries()) {
        const next = sealed(`${kid}+`, {
          purpose: 'possession:https://e.example',
          activeFrom: later(n + 1),
        })
        await store().addKey(next, n === 0 ? 'e' : `${'efgh'[n - 1]}+`, leaf({ kind: 'keys' }))
      }
      const page = await store().eventsAfter(since, 2)
      expect(page.map(({ sequence }) => sequence)).toEqual([since + 1, since + 2])
      expect(await store().eventsAfter(since + 4, 2)).toEqual([])
      expect(await store().pruneEvents(new Date(0))).toBe(0)
      expect(await store().pruneEvents(later(1e9))).toBeGreaterThanOrEqual(3)
      expect(await store().lastEvent()).toBe(since + 4)
      expect(await store().eventsAfter(0, 10)).toHaveLength(1)
    })
  })
}
