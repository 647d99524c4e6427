/** Places in a status list: never given twice, asked for in blocks ahead of need, and in an order that says nothing. */
import { describe, expect, test, vi } from 'vitest'
import { statusSlots } from '#src/service/status-slots.ts'
import { seededChance } from '../../fixtures/seeded.ts'

const issuer = 'https://attest.example'
const clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const chance = seededChance('status slots')
let drawn = 0
const random = { bytes: (size: number) => chance.bytes(`block ${drawn++}`, size) }

/** Blocks one after the other, lists of four blocks. */
function blocks() {
  const next = new Map<string, number>()
  return {
    takeStatusBlock: vi.fn(async (of: string, { size }: { readonly size: number }) => {
      const taken = next.get(of) ?? 0
      next.set(of, taken + 1)
      await Promise.resolve()
      return { list: 1 + Math.floor(taken / 4), first: (taken % 4) * size, size }
    }),
  }
}

const take = async (slots: ReturnType<typeof statusSlots>, count: number) =>
  await Promise.all(Array.from({ length: count }, () => slots.take(issuer)))

describe('status slots', () => {
  test('ten thousand taken at once are ten thousand different ones', async () => {
    const store = blocks()
    const taken = await take(statusSlots({ store, clock, random }), 10_000)
    expect(new Set(taken.map(({ list, index }) => `${list}/${index}`)).size).toBe(10_000)
    expect(Math.max(...taken.map(({ index }) => index))).toBeLessThan(4096)
  })

  test('the next block is asked for before the first runs out, and once', async () => {
    const store = blocks()
    const slots = statusSlots({ store, clock, random })
    await take(slots, 511)
    expect(store.takeStatusBlock).toHaveBeenCalledTimes(1)
    await take(slots, 200)
    expect(store.takeStatusBlock).toHaveBeenCalledTimes(2)
    await take(slots, 300)
    expect(store.takeStatusBlock).toHaveBeenCalledTimes(2)
    expect(store.takeStatusBlock.mock.calls[0]).toEqual([
      issuer,
      { size: 1024, capacity: 2 ** 20, at: clock.now() },
    ])
  })

  test('nobody waits while there are slots, though the database hangs', async () => {
    const store = blocks()
    const slots = statusSlots({ store, clock, random })
    await take(slots, 1)
    store.takeStatusBlock.mockImplementation(() => new Promise(() => {}))
    await expect(take(slots, 1023)).resolves.toHaveLength(1023)
  })

  test('a database that fails fails those who find nothing left, and the next try asks again', async () => {
    const store = blocks()
    store.takeStatusBlock.mockRejectedValueOnce(new Error('gone'))
    const slots = statusSlots({ store, clock, random })
    await expect(slots.take(issuer)).rejects.toThrow('gone')
    await expect(slots.take(issuer)).resolves.toMatchObject({ list: 1 })
  })

  test('issuers share no block', async () => {
    const store = blocks()
    const slots = statusSlots({ store, clock, random })
    await slots.take(issuer)
    await slots.take('https://attest.example/simulated')
    expect(store.takeStatusBlock.mock.calls.map(([of]) => of)).toEqual([
      issuer,
      'https://attest.example/simulated',
    ])
  })

  test('an index says nothing about the order of issuance', async () => {
    const taken = await take(statusSlots({ store: blocks(), clock, random }), 1024)
    const rises = taken.filter(({ index }, at) => index > (taken[at - 1]?.index ?? 0)).length
    expect(rises).toBeGreaterThan(450)
    expect(rises).toBeLessThan(574)
    expect(new Set(taken.map(({ index }) => index)).size).toBe(1024)
  })
})
