/** Detection that survives our own failures: whatever happens to the service, no fleet is suspended for it, and no silence is excused that was not ours. */
import { describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { Problem } from '#src/problems.ts'
import { forgiven, knownOutages } from '#src/service/outages.ts'
import type { JournalEntry, Store } from '#src/service/ports.ts'
import { stateOf } from '#src/service/session-state.ts'

const AT = new Date('2026-06-01T00:00:00Z')
const SECOND = 1000

/** A machine: its clock, which may be set, and the time that really passes. */
function machine(store: Pick<Store, 'serviceAlive'>) {
  const time = { at: AT.getTime(), elapsed: 0 }
  const journal: JournalEntry[] = []
  let made = 0
  const start = () =>
    knownOutages({
      store,
      clock: { now: () => new Date(time.at) },
      elapsedMs: () => time.elapsed,
      random: { bytes: (size) => new Uint8Array(size).fill(++made) },
      journal: { record: (entry) => void journal.push(entry) },
    })
  return {
    journal,
    start,
    pass(seconds: number) {
      time.at += seconds * SECOND
      time.elapsed += seconds * SECOND
    },
    /** Somebody sets the clock. */
    set(seconds: number) {
      time.at += seconds * SECOND
    },
    now: () => new Date(time.at),
  }
}

/** Of a session with heartbeats of 10 s. */
const heard = (at: Date) => ({ standing: 'open', heardAt: at, heartbeatSeconds: 10 }) as const

async function live(
  here: ReturnType<typeof machine>,
  replica: ReturnType<typeof knownOutages>,
  seconds: number,
) {
  for (let passed = 0; passed < seconds; passed += 5) {
    here.pass(5)
    await replica.look()
  }
}

describe('a restart', () => {
  test('of a minute suspends nobody, and excuses nothing that came after it', async () => {
    const here = machine(memoryStore())
    const before = here.start()
    await before.look()
    const session = heard(here.now())
    here.pass(60)
    const after = here.start()
    await after.look()
    const state = () => stateOf(session, { at: here.now(), outages: after.outages() })
    expect(state()).toBe('LATE')
    expect(here.journal).toMatchObject([{ event: 'service.away' }])
    await live(here, after, 35)
    expect(state()).toBe('LATE')
    await live(here, after, 5)
    expect(state()).toBe('SUSPENDED')
  })

  test('that is shorter than what four heartbeats take is no outage', async () => {
    const here = machine(memoryStore())
    await here.start().look()
    here.pass(14)
    const after = here.start()
    await after.look()
    expect(after.outages()).toEqual([])
  })

  test('of hours has everybody show himself: only so much silence is excused', async () => {
    const here = machine(memoryStore())
    await here.start().look()
    const session = heard(here.now())
    here.pass(3 * 3600)
    const after = here.start()
    await after.look()
    expect(stateOf(session, { at: here.now(), outages: after.outages() })).toBe('SUSPENDED')
  })
})

test('the loss of one replica excuses nobody while another answers', async () => {
  const store = memoryStore()
  const [here, there] = [machine(store), machine(store)]
  const lost = here.start()
  const lasting = there.start()
  await lost.look()
  await lasting.look()
  const session = heard(there.now())
  await live(there, lasting, 60)
  here.pass(60)
  expect(stateOf(session, { at: there.now(), outages: lasting.outages() })).toBe('SUSPENDED')
  const back = here.start()
  await back.look()
  expect(back.outages()).toEqual([])
})

test('a database that is away: nobody is judged until it said what happened meanwhile', async () => {
  const kept = memoryStore()
  let isUp = true
  const here = machine({
    async serviceAlive(...asked) {
      if (isUp) return await kept.serviceAlive(...asked)
      throw new Problem('storage-unavailable', 'gone')
    },
  })
  const replica = here.start()
  await replica.look()
  const session = heard(here.now())
  isUp = false
  for (let passed = 0; passed < 60; passed += 5) {
    here.pass(5)
    await expect(replica.look()).rejects.toMatchObject({ code: 'storage-unavailable' })
  }
  isUp = true
  expect(() => replica.outages()).toThrow(
    expect.objectContaining({ code: 'storage-unavailable', retryAfterSeconds: 5 }),
  )
  await replica.look()
  expect(stateOf(session, { at: here.now(), outages: replica.outages() })).toBe('LATE')
})

test('a replica that was cut off alone does not excuse what the others would have heard', async () => {
  const kept = memoryStore()
  const there = machine(kept)
  const lasting = there.start()
  let isUp = true
  const here = machine({
    async serviceAlive(...asked) {
      if (isUp) return await kept.serviceAlive(...asked)
      throw new Problem('storage-unavailable', 'gone')
    },
  })
  const cut = here.start()
  await cut.look()
  await lasting.look()
  const session = heard(here.now())
  isUp = false
  here.pass(60)
  await live(there, lasting, 60)
  expect(() => cut.outages()).toThrow(expect.objectContaining({ code: 'storage-unavailable' }))
  isUp = true
  await cut.look()
  expect(stateOf(session, { at: here.now(), outages: cut.outages() })).toBe('SUSPENDED')
})

describe('a clock that is set', () => {
  test('forward by ten minutes suspends nobody, at once and after the next look', async () => {
    const here = machine(memoryStore())
    const replica = here.start()
    await replica.look()
    const session = heard(here.now())
    here.pass(3)
    here.set(600)
    expect(stateOf(session, { at: here.now(), outages: replica.outages() })).toBe('LATE')
    await live(here, replica, 5)
    expect(stateOf(session, { at: here.now(), outages: replica.outages() })).toBe('LATE')
    await live(here, replica, 40)
    expect(stateOf(session, { at: here.now(), outages: replica.outages() })).toBe('SUSPENDED')
  })

  test('forward on one replica is no outage for the others', async () => {
    const store = memoryStore()
    const [here, there] = [machine(store), machine(store)]
    const [wrong, right] = [here.start(), there.start()]
    await wrong.look()
    await right.look()
    here.set(600)
    await live(here, wrong, 5)
    await live(there, right, 5)
    expect(right.outages()).toEqual([])
    // Nor for one that begins when that time has come, and was told nothing of it before.
    await live(there, right, 620)
    const fresh = there.start()
    await fresh.look()
    expect(fresh.outages()).toEqual([])
  })

  test('forward before a restart tells an outage that nobody else believes, then or later', async () => {
    const store = memoryStore()
    const [here, there] = [machine(store), machine(store)]
    await here.start().look()
    const right = there.start()
    await right.look()
    here.set(600)
    await here.start().look()
    await live(there, right, 5)
    const session = heard(there.now())
    await live(there, right, 620)
    expect(stateOf(session, { at: there.now(), outages: right.outages() })).toBe('SUSPENDED')
  })

  test('forward and back again leaves nothing excused', async () => {
    const here = machine(memoryStore())
    const replica = here.start()
    await replica.look()
    const session = heard(here.now())
    here.set(600)
    await live(here, replica, 5)
    here.set(-600)
    await live(here, replica, 60)
    expect(stateOf(session, { at: here.now(), outages: replica.outages() })).toBe('SUSPENDED')
  })

  test('back makes nobody active who was not heard by it', async () => {
    const here = machine(memoryStore())
    const replica = here.start()
    await replica.look()
    const session = heard(here.now())
    here.set(-600)
    await live(here, replica, 30)
    expect(stateOf(session, { at: here.now(), outages: replica.outages() })).toBe('LATE')
  })
})

test('outages that overlap are excused once, and the newest first where there are too many', () => {
  const minute = (n: number) => new Date(AT.getTime() + n * 60 * SECOND)
  const at = minute(60)
  expect(
    forgiven(
      [
        { from: minute(1), until: minute(3) },
        { from: minute(2), until: minute(4) },
      ],
      at,
    ),
  ).toEqual([{ from: minute(1), until: minute(4) }])
  const flapping = Array.from({ length: 10 }, (_, n) => ({
    from: minute(3 * n),
    until: minute(3 * n + 2),
  }))
  const kept = forgiven(flapping, at)
  const excused = kept.reduce((sum, { from, until }) => sum + (until.getTime() - from.getTime()), 0)
  expect(excused).toBe(10 * 60 * SECOND)
  expect(kept.at(-1)).toEqual(flapping.at(-1))
})
