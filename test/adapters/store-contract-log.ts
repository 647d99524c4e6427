/** What every store must do with the transparency log. Hashes and signatures are somebody else's business: these are made up. */
import { describe, expect, test } from 'vitest'
import type { LogBatch, LogTransaction, PendingLeaf } from '#src/service/log-ports.ts'
import type { Store } from '#src/service/ports.ts'
import { AT, attestation, leaf, record, uuid } from './store-records.ts'

const tileOf = (fill: number, hashes = 1) => new Uint8Array(32 * hashes).fill(fill)

/** Everything that waits, denials under one root after the others. */
export function batchOf(
  { head, waiting }: LogTransaction,
  change: Partial<LogBatch> = {},
): LogBatch {
  const size = head?.size ?? 0
  const entries = waiting
    .filter(({ kind }) => kind !== 'denial')
    .map(({ kind, entry, leafHash }, n) => ({ index: size + n, kind, entry, leafHash }))
  const denied = waiting.filter(({ kind }) => kind === 'denial')
  const index = size + entries.length
  const root = { index, kind: 'denials' as const, entry: tileOf(1), leafHash: tileOf(index % 256) }
  const all = denied.length === 0 ? entries : [...entries, root]
  return {
    head: {
      size: size + all.length,
      root: tileOf(size + all.length),
      checkpoint: `log\n${size + all.length}\n\u2014 signature\n`,
      at: AT,
    },
    entries: all,
    denials: denied.map(({ leafHash }, position) => ({ index, position, leafHash })),
    tiles: [{ level: 0, index: 0, hashes: tileOf(5, Math.min(size + all.length, 256)) }],
    taken: waiting.map(({ id }) => id),
    ...change,
  }
}

export function logContract(store: () => Store): void {
  let next = 600
  const queue = async (...leaves: readonly PendingLeaf[]) => {
    for (const each of leaves) {
      next += 1
      await store().recordAttestation(attestation(record(uuid(next)), { leaf: each }))
    }
  }
  const drain = async () => {
    while ((await store().sequenceLog(1000, async (t) => batchOf(t))) === 'sequenced');
  }

  describe('the log', () => {
    test('begins with a head over nothing, if whoever sequences makes one', async () => {
      if (await store().logHead()) return
      expect(await store().sequenceLog(0, async () => undefined)).toBe('nothing')
      const made = await store().sequenceLog(0, async (t) => batchOf(t))
      expect(made).toBe('sequenced')
      expect(await store().logHead()).toEqual({
        size: 0,
        root: tileOf(0),
        checkpoint: 'log\n0\n\u2014 signature\n',
        at: AT,
      })
    })

    test('numbers what waits, the oldest first, and says where each leaf stands', async () => {
      await drain()
      expect(await store().countWaitingLeaves()).toBe(0)
      expect(await store().sequenceLog(10, async (t) => batchOf(t))).toBe('nothing')
      const size = (await store().logHead())?.size ?? 0
      const [first, denied, second, third] = [
        leaf({ kind: 'issuance' }),
        leaf({ kind: 'denial', tenant: undefined }),
        leaf({ kind: 'revocation' }),
        leaf(),
      ] as const
      await queue(first, denied, second, third)
      expect(await store().countWaitingLeaves()).toBe(4)
      let seen: LogTransaction | undefined
      const outcome = await store().sequenceLog(3, async (transaction) => {
        seen = transaction
        return batchOf(transaction)
      })
      expect(outcome).toBe('sequenced')
      expect(seen?.waiting.map(({ kind }) => kind)).toEqual(['issuance', 'denial', 'revocation'])
      expect(seen?.waiting[0]).toMatchObject({ entry: first.entry, leafHash: first.leafHash })
      expect(await store().logHead()).toMatchObject({ size: size + 3 })
      expect(await store().leafPlace(first.leafHash)).toEqual({ in: 'log', index: size })
      expect(await store().leafPlace(second.leafHash)).toEqual({ in: 'log', index: size + 1 })
      expect(await store().leafPlace(denied.leafHash)).toEqual({
        in: 'denials',
        index: size + 2,
        position: 0,
      })
      expect(await store().leafPlace(third.leafHash)).toEqual({ in: 'waiting' })
      expect(await store().leafPlace(tileOf(250))).toBeUndefined()
      expect(await store().denialBatch(size + 2)).toEqual([denied.leafHash])
      expect(await store().denialBatch(size)).toEqual([])
      expect(await store().logEntries(size, 2)).toEqual([first.entry, second.entry])
      expect(await store().logEntries(size + 3, 10)).toEqual([])
    })

    test('keeps private bodies wherever their leaf stands', async () => {
      const [entered, denied] = [leaf(), leaf({ kind: 'denial', tenant: undefined })] as const
      await drain()
      await queue(entered, denied)
      const { leafHash: _, ...body } = entered
      expect(await store().leafBody(entered.leafHash)).toEqual(body)
      await drain()
      expect(await store().leafBody(entered.leafHash)).toEqual(body)
      expect(await store().leafBody(denied.leafHash)).toMatchObject({
        kind: 'denial',
        tenant: undefined,
      })
      expect(await store().leafBody(tileOf(250))).toBeUndefined()
    })

    test('forgets denials batch by batch, the oldest first, and keeps their roots', async () => {
      await drain()
      for (const { index } of await store().oldestDenials(1000)) await store().forgetDenials(index)
      expect(await store().oldestDenials(10)).toEqual([])
      const size = (await store().logHead())?.size ?? 0
      const denied = [leaf({ kind: 'denial' }), leaf({ kind: 'denial' })] as const
      await queue(...denied)
      await drain()
      const later = leaf({ kind: 'denial' })
      await queue(later)
      await drain()
      const [first, second] = await store().oldestDenials(10)
      expect(first?.index).toBe(size)
      expect(second?.index).toBe(size + 1)
      expect(await store().logEntries(size, 1)).toEqual([first?.entry])
      expect(await store().oldestDenials(1)).toEqual([first])
      expect(await store().forgetDenials(size)).toBe(2)
      expect(await store().forgetDenials(size)).toBe(0)
      expect(await store().oldestDenials(10)).toEqual([second])
      for (const { leafHash } of denied) {
        expect(await store().leafPlace(leafHash)).toBeUndefined()
        expect(await store().leafBody(leafHash)).toBeUndefined()
      }
      expect(await store().leafBody(later.leafHash)).toBeDefined()
      expect(await store().logEntries(size, 1)).toEqual([first?.entry])
    })

    test('forgets batches of denials with their private bodies, and nothing else', async () => {
      await drain()
      const before = (await store().oldestDenials(1000)).length
      const batches = [[leaf({ kind: 'denial' }), leaf()], [leaf()], [leaf({ kind: 'denial' })]]
      for (const each of batches) {
        await queue(...each)
        await drain()
      }
      const waiting = leaf({ kind: 'denial' })
      await queue(waiting)
      const [[first, issued], , [last]] = batches as [PendingLeaf[], unknown, PendingLeaf[]]
      if (!first || !issued || !last) throw new Error('no leaves')
      const oldest = await store().oldestDenials(1000)
      const [one, other] = oldest.slice(before)
      if (!one || !other) throw new Error('no batches')
      expect(oldest).toHaveLength(before + 2)
      expect(oldest.map(({ index }) => index)).toEqual(
        oldest.map(({ index }) => index).toSorted((a, b) => a - b),
      )
      expect(await store().oldestDenials(before + 1)).toEqual(oldest.slice(0, -1))
      expect(await store().denialBatch(one.index)).toEqual([first.leafHash])
      expect(await store().logEntries(one.index, 1)).toEqual([one.entry])

      expect(await store().forgetDenials(one.index)).toBe(1)
      expect(await store().forgetDenials(one.index)).toBe(0)
      expect(await store().oldestDenials(1000)).toEqual(
        oldest.filter(({ index }) => index !== one.index),
      )
      expect(await store().denialBatch(one.index)).toEqual([])
      expect(await store().leafPlace(first.leafHash)).toBeUndefined()
      expect(await store().leafBody(first.leafHash)).toBeUndefined()
      expect(await store().logEntries(one.index, 1)).toEqual([one.entry])
      for (const { leafHash } of [issued, last, waiting]) {
        expect(await store().leafPlace(leafHash)).toBeDefined()
        expect(await store().leafBody(leafHash)).toBeDefined()
      }
      expect(await store().denialBatch(other.index)).toEqual([last.leafHash])
    })

    test('tiles grow, and are read back from inside and outside', async () => {
      await queue(leaf())
      let before: Uint8Array | undefined
      await store().sequenceLog(1000, async (t) => {
        before = await t.tile(0, 0)
        expect(await t.tile(9, 9)).toBeUndefined()
        return batchOf(t, { tiles: [{ level: 0, index: 0, hashes: tileOf(7, 3) }] })
      })
      expect(before?.length).toBeGreaterThan(0)
      expect(await store().logTile(0, 0)).toEqual(tileOf(7, 3))
      expect(await store().logTile(1, 0)).toBeUndefined()
    })

    test.each<[string, (batch: LogBatch) => Partial<LogBatch>]>([
      ['whose head skips', ({ head }) => ({ head: { ...head, size: head.size + 1 } })],
      ['whose head falls', ({ head }) => ({ head: { ...head, size: head.size - 1 } })],
      [
        'whose entries leave a gap',
        ({ entries }) => ({ entries: entries.map((each) => ({ ...each, index: each.index + 1 })) }),
      ],
      ['that takes what does not wait', ({ taken }) => ({ taken: [...taken, 999_999] })],
    ])('keeps nothing of a batch %s', async (_, change) => {
      await queue(leaf())
      const before = await store().logHead()
      const attempt = store().sequenceLog(1000, async (t) => {
        const batch = batchOf(t)
        return { ...batch, ...change(batch) }
      })
      await expect(attempt).rejects.toThrow()
      expect(await store().logHead()).toEqual(before)
      expect(await store().countWaitingLeaves()).toBeGreaterThan(0)
    })

    test('stands still when whoever sequences fails, and goes on afterwards', async () => {
      await queue(leaf())
      const failing = store().sequenceLog(1000, async () => {
        throw new Error('the signer is away')
      })
      await expect(failing).rejects.toThrow()
      expect(await store().sequenceLog(1000, async (t) => batchOf(t))).toBe('sequenced')
      expect(await store().countWaitingLeaves()).toBe(0)
    })
  })
}
