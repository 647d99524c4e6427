/** Are heartbeats spread evenly, and is a latency counted as what it was? */
import { expect, test } from 'vitest'
import { latencies } from '../../enclave/fleet/fleet-latencies.ts'
import { fleetWheel } from '../../enclave/fleet/fleet-wheel.ts'
import { processUse } from '../../enclave/fleet/process-use.ts'

test('each member is due once in every turn, however seldom one looks', () => {
  const wheel = fleetWheel<number>(1_000, 0)
  for (let n = 0; n < 500; n++) wheel.add(n)
  const times = new Map<number, number[]>()
  for (let now = 0; now <= 5_000; now += 37)
    wheel.turn(now, (member, at) => {
      expect(at).toBeLessThanOrEqual(now)
      expect(at).toBeGreaterThan(now - 45)
      times.set(member, [...(times.get(member) ?? []), at])
    })
  for (const [, at] of times) {
    expect(at.length).toBeGreaterThanOrEqual(4)
    for (const [n, each] of at.slice(1).entries()) expect(each - (at[n] ?? 0)).toBe(1_000)
  }
  expect(times.size).toBe(500)
})

test.each([10, 100, 1_000])('%i members are spread evenly', (members) => {
  const wheel = fleetWheel<number>(10_000, 0)
  for (let n = 0; n < members; n++) wheel.add(n)
  const perTenth = new Array<number>(10).fill(0)
  wheel.turn(10_000, (_, at) => {
    const tenth = Math.min(9, Math.floor(at / 1_000))
    perTenth[tenth] = (perTenth[tenth] ?? 0) + 1
  })
  expect(Math.max(...perTenth) - Math.min(...perTenth)).toBeLessThanOrEqual(3)
})

test('whoever slept through several turns owes one heartbeat and not all of them', () => {
  const wheel = fleetWheel<string>(1_000, 0)
  wheel.add('one')
  let due = 0
  wheel.turn(10_000, () => due++)
  expect(due).toBe(1)
})

test('quantiles are of what was added, and begin anew', () => {
  const counted = latencies()
  for (let ms = 1; ms <= 1_000; ms++) counted.add(ms)
  expect(counted.summary()).toEqual({ count: 1_000, p50: 500, p95: 950, p99: 990, max: 1_000 })
  counted.add(1e9)
  expect(counted.summary().max).toBe(1e9)
  counted.clear()
  expect(counted.summary()).toEqual({ count: 0, p50: 0, p95: 0, p99: 0, max: 0 })
})

test('a process that is not there has used nothing that is known', () => {
  expect(processUse(2 ** 22 + 1)).toBeUndefined()
})
