/** What every store must do with the sessions of an agent on one boot: into quarantine together, and out of it together. */
import { describe, expect, test } from 'vitest'
import type { PendingLeaf } from '#src/service/log-ports.ts'
import type { Store } from '#src/service/ports.ts'
import type { SessionRecord } from '#src/service/session-ports.ts'
import {
  attestationOf,
  delta,
  heartbeat,
  later,
  quarantine,
  quote,
  taken,
  tokensOf,
} from './session-records.ts'
import { becauseOf, came, siblings, together } from './session-siblings.ts'
import { attestation, leaf, record, uuid } from './store-records.ts'

export function quarantineContract(store: () => Store): void {
  const find = async ({ id }: Pick<SessionRecord, 'id'>) => await store().findSession(id)
  const made = async (...rests: readonly Partial<SessionRecord>[]) => {
    const [one, two, three] = await siblings(store(), rests)
    if (!one || !two || !three) throw new Error('three sessions are made')
    return [one, two, three] as const
  }
  const revocationOf = async ({ id }: SessionRecord) => (await store().findToken(id))?.revocation

  describe('the others of an agent on its boot', () => {
    test('come along whatever their revision: standing, leaf and event of their own, and the end of their tokens', async () => {
      const [one, first, three] = await made({}, {}, { standing: 'suspended', demanded: 'policy' })
      const beat = heartbeat(one)
      expect(await store().advanceSession(beat)).toBe('advanced')
      const since = await store().lastEvent()
      const leaves = new Map<string, PendingLeaf>()
      const kept = (of: { readonly id: string }, kind: PendingLeaf['kind']) => {
        const each = leaf({ kind, subject: of.id })
        leaves.set(`${kind} ${of.id}`, each)
        return each
      }
      const shown: SessionRecord[] = []
      const told: (readonly SessionRecord[])[] = []
      const given = together(
        first,
        {
          leafOf: ({ jti }) => kept({ id: jti }, 'revocation'),
          changed: (sessions) => told.push(sessions),
          delta: delta(1),
        },
        {
          sessionLeafOf(session) {
            shown.push(session)
            return kept(session, 'session')
          },
        },
      )
      expect(await store().changeSession(given)).toBe('changed')
      const now = [
        { ...given.session, revision: first.revision + 1 },
        came(taken(beat), first),
        came(three, first),
      ]
      for (const each of now) expect(await find(each)).toEqual(each)
      expect(told).toEqual([now])
      expect(shown).toEqual(now.slice(1))
      expect(await store().deltasOf(one.id)).toEqual([delta(0), delta(1)])
      expect(await revocationOf(first)).toEqual(quarantine)
      for (const each of [one, three])
        expect(await revocationOf(each)).toMatchObject({
          ...{ at: quarantine.at, by: quarantine.by, reason: quarantine.reason },
          detail: expect.stringContaining(first.id),
        })
      expect([...leaves.keys()].toSorted()).toEqual(
        [
          ...[one, three].map(({ id }) => `session ${id}`),
          ...[one, first, three].map(({ id }) => `revocation ${id}`),
        ].toSorted(),
      )
      for (const { leafHash } of [given.leaf, ...leaves.values()])
        expect(await store().leafPlace(leafHash)).toEqual({ in: 'waiting' })
      const events = await store().eventsAfter(since, 20)
      expect(events.map(({ kind, fields }) => [kind, fields.jti ?? fields.session])).toEqual([
        ...[first, one, three].map(({ id }) => ['token.revoked', id]),
        ...[first, one, three].map(({ id }) => ['session.changed', id]),
      ])
      for (const { fields } of events.slice(3))
        expect(fields).toMatchObject({ standing: 'quarantined', by: 'runtime' })
    })

    const strangers: readonly [string, Partial<SessionRecord>][] = [
      ['of another tenant', { tenant: 'other' }],
      ['of another environment', { environment: 'test' }],
      ['of another agent', { agent: 'other-bot' }],
      ['of another boot', { boot: '11111111-89ab-cdef-0123-456789abcdef' }],
      ['that is closed', { standing: 'closed' }],
      ['that is revoked', { standing: 'revoked' }],
      ['that was quarantined before, by itself', { standing: 'quarantined', reason: 'its own' }],
    ]
    test.each(strangers)('but none %s', async (_, rest) => {
      const all = await made({}, {}, rest)
      const stranger = all.find((each) => Object.entries(rest).every(([k, v]) => is(each, k, v)))
      const [first, sibling] = all.filter((each) => each !== stranger)
      if (!stranger || !first || !sibling) throw new Error('a stranger and two others')
      const since = await store().lastEvent()
      expect(await store().changeSession(together(first))).toBe('changed')
      expect(await find(sibling)).toEqual(came(sibling, first))
      expect(await find(stranger)).toEqual(stranger)
      expect(await revocationOf(stranger)).toBeUndefined()
      expect(await store().lastEvent()).toBe(since + 4)
    })

    test('stay where nothing is said of them', async () => {
      const [first, ...others] = await made({}, {}, {})
      const given = together(first, { others: undefined })
      expect(await store().changeSession(given)).toBe('changed')
      for (const each of others) expect(await find(each)).toEqual(each)
    })

    test('stay where the first is another by now, or something cannot be kept', async () => {
      const [one, two, three] = await made({}, {}, {})
      const since = await store().lastEvent()
      const late = together({ ...two, revision: two.revision + 1 })
      expect(await store().changeSession(late)).toBe('superseded')
      const waiting = leaf()
      await store().recordAttestation(
        attestation(record(uuid(4_000_001 + since)), { leaf: waiting }),
      )
      for (const wrong of [
        together(two, {}, { sessionLeafOf: () => waiting }),
        together(two, { leafOf: ({ jti }) => (jti === three.id ? waiting : leaf()) }),
        together(two, { delta: delta(0) }),
      ])
        await expect(store().changeSession(wrong)).rejects.toThrow('storage-unavailable')
      for (const each of [one, two, three]) {
        expect(await find(each)).toEqual(each)
        expect(await revocationOf(each)).toBeUndefined()
      }
      expect(await store().lastEvent()).toBe(since)
    })

    test('have no messages taken that were judged before, and no tokens', async () => {
      const [first, sibling, third] = await made({}, {}, { standing: 'suspended' })
      expect(await store().changeSession(together(first))).toBe('changed')
      const late = quote(third)
      expect(await store().advanceSession(heartbeat(sibling))).toBe('superseded')
      expect(await store().renewSession(attestationOf(late), late)).toBe('superseded')
      expect(await store().changeSession(together(sibling))).toBe('superseded')
      expect(await store().recordSessionTokens(tokensOf(sibling, [`t ${sibling.id}`]))).toBe(
        'session-over',
      )
    })

    test('are changed once where two of them are quarantined at the same time', async () => {
      const all = await made({}, {}, {})
      const outcomes = await Promise.all(all.map((each) => store().changeSession(together(each))))
      expect(outcomes.toSorted()).toEqual(['changed', 'superseded', 'superseded'])
      const first = all[outcomes.indexOf('changed')]
      for (const each of all) {
        const now = await find(each)
        expect(now).toMatchObject({ standing: 'quarantined', revision: each.revision + 1 })
        if (first && each !== first) expect(now?.reason).toBe(becauseOf(first))
      }
    })

    test('have no live token afterwards, however many were being issued, and heartbeats were on their way', async () => {
      const [first, ...others] = await made({}, {}, {})
      const issuing = others.flatMap((each) =>
        Array.from({ length: 30 }, (_, n) =>
          store().recordSessionTokens(tokensOf(each, [`${n} ${each.id}`])),
        ),
      )
      const beating = others.map((each) => store().advanceSession(heartbeat(each)))
      expect(await store().changeSession(together(first))).toBe('changed')
      await Promise.all([...issuing, ...beating])
      for (const { id: session } of others) {
        expect((await find({ id: session }))?.standing).toBe('quarantined')
        const page = { at: quarantine.at, selection: { session }, limit: 100 }
        expect(await store().liveTokens('acme', page)).toEqual([])
      }
    })

    test('are released together, those too that were quarantined by themselves, and nobody else', async () => {
      const all = await made({}, {}, { standing: 'quarantined', reason: 'its own' })
      const own = all.find(({ standing }) => standing === 'quarantined')
      const [first, sibling] = all.filter((each) => each !== own)
      if (!own || !first || !sibling) throw new Error('one by itself and two others')
      expect(await store().changeSession(together(first))).toBe('changed')
      const [open] = await siblings(store(), [{ boot: first.boot }])
      const released = {
        standing: 'suspended',
        demanded: 'operator',
        by: 'otto',
        changedAt: later(5000),
      } as const
      const now = await find(first)
      const session: SessionRecord = { ...(now ?? first), ...released, reason: 'looked at' }
      const release = { session, revocation: undefined, by: 'otto' }
      expect(
        await store().changeSession(together(session, release, { from: ['quarantined'] })),
      ).toBe('changed')
      for (const each of [sibling, own])
        expect(await find(each)).toMatchObject({ ...released, reason: becauseOf(first) })
      expect(open && (await find(open))).toEqual(open)
      expect((await revocationOf(sibling))?.by).toBe('runtime')
      expect(await revocationOf(own)).toBeUndefined()
    })
  })
}

function is(session: SessionRecord, name: string, value: unknown): boolean {
  return session[name as keyof SessionRecord] === value
}
