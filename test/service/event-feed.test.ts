/** What a replica hears of the others: every event after its start, once, in order, whichever listener fails. */
import { describe, expect, test, vi } from 'vitest'
import { eventFeed } from '#src/service/event-feed.ts'
import type { ServiceEvent } from '#src/service/token-ports.ts'

function storeOf(count: number) {
  const events: ServiceEvent[] = []
  const publish = (more: number) => {
    for (let each = 0; each < more; each++)
      events.push({
        sequence: events.length + 1,
        at: new Date('2026-06-01T00:00:00Z'),
        kind: 'token.revoked',
        tenant: 'default',
        fields: {},
      })
  }
  publish(count)
  return {
    publish,
    lastEvent: async () => events.length,
    eventsAfter: vi.fn(async (sequence: number, limit: number) =>
      events.slice(sequence, sequence + limit),
    ),
  }
}

const heardOf = () => {
  const heard: number[] = []
  return { heard, listener: ({ sequence }: ServiceEvent) => void heard.push(sequence) }
}

describe('an event feed', () => {
  test('begins with what happens after its start', async () => {
    const store = storeOf(3)
    const feed = await eventFeed(store)
    const { heard, listener } = heardOf()
    feed.subscribe(listener)
    await feed.poll()
    expect(heard).toEqual([])
    store.publish(2)
    await feed.poll()
    expect(heard).toEqual([4, 5])
  })

  test('tells every one of a thousand, once and in order', async () => {
    const store = storeOf(0)
    const feed = await eventFeed(store)
    const { heard, listener } = heardOf()
    feed.subscribe(listener)
    store.publish(1000)
    await feed.poll()
    await feed.poll()
    expect(heard).toEqual(Array.from({ length: 1000 }, (_, at) => at + 1))
  })

  test('tells nothing twice when it is polled twice at once', async () => {
    const store = storeOf(0)
    const feed = await eventFeed(store)
    const { heard, listener } = heardOf()
    feed.subscribe(listener)
    store.publish(1)
    await Promise.all([feed.poll(), feed.poll(), feed.poll()])
    expect(heard).toEqual([1])
  })

  test('goes on after a listener that throws, and says so', async () => {
    const store = storeOf(0)
    const failed = vi.fn()
    const feed = await eventFeed(store, failed)
    const { heard, listener } = heardOf()
    const broken = new Error('broken listener')
    feed.subscribe(() => {
      throw broken
    })
    feed.subscribe(listener)
    store.publish(2)
    await feed.poll()
    expect(heard).toEqual([1, 2])
    expect(failed.mock.calls).toEqual([[broken], [broken]])
  })

  test('tells those who left no more, and the same listener twice if it came twice', async () => {
    const store = storeOf(0)
    const feed = await eventFeed(store)
    const { heard, listener } = heardOf()
    const leave = feed.subscribe(listener)
    feed.subscribe(listener)
    store.publish(1)
    await feed.poll()
    leave()
    store.publish(1)
    await feed.poll()
    expect(heard).toEqual([1, 1, 2])
  })

  test('misses nothing when the database did not answer in between', async () => {
    const store = storeOf(0)
    const feed = await eventFeed(store)
    const { heard, listener } = heardOf()
    feed.subscribe(listener)
    store.publish(1)
    store.eventsAfter.mockRejectedValueOnce(new Error('gone'))
    await expect(feed.poll()).rejects.toThrow('gone')
    await feed.poll()
    expect(heard).toEqual([1])
  })
})
