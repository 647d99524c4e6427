/** How many attestations are at work at once, how many wait, and what the rest hear. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { admission } from '#src/http/guard/admission.ts'
import type { Problem } from '#src/problems.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const config = { mostInFlight: 2, mostWaiting: 1, mostLoopDelayMs: 100 }

test('two work, one waits, and the fourth hears 503 with a time', async () => {
  const { assertRoom, enter, figures } = admission({ ...config, loopDelayMs: () => 0 })
  const first = await enter()
  await enter()
  const third = enter()
  expect(figures()).toEqual({ inFlight: 2, waiting: 1 })
  expect(assertRoom).toThrow('overloaded')
  await expect(enter()).rejects.toMatchObject({ code: 'overloaded', retryAfterSeconds: 1 })
  first()
  await third
  expect(figures()).toEqual({ inFlight: 2, waiting: 0 })
  expect(assertRoom).not.toThrow()
})

test('a turn goes to whoever waited longest, and ends once however often it is ended', async () => {
  const { enter, figures } = admission({ ...config, mostWaiting: 9, loopDelayMs: () => 0 })
  const leaves = [await enter(), await enter()]
  const order: number[] = []
  const waiting = [1, 2, 3].map(async (n) => {
    const leave = await enter()
    order.push(n)
    return leave
  })
  leaves[0]?.()
  leaves[0]?.()
  const [second] = await Promise.all([waiting[0]])
  expect(order).toEqual([1])
  second?.()
  await waiting[1]
  expect(order).toEqual([1, 2])
  leaves[1]?.()
  await waiting[2]
  expect(figures()).toEqual({ inFlight: 2, waiting: 0 })
})

test('nobody waits longer than a second, and whoever gave up takes no turn', async () => {
  const { enter, figures } = admission({ ...config, loopDelayMs: () => 0 })
  const leaves = [await enter(), await enter()]
  const late = enter().catch((problem: Problem) => problem.code)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await late).toBe('overloaded')
  for (const leave of leaves) leave()
  expect(figures()).toEqual({ inFlight: 0, waiting: 0 })
})

test('a late event loop admits nobody while much is asked, and everybody otherwise', async () => {
  let lateMs = 101
  let elapsedMs = 0
  const { assertRoom, enter } = admission({
    ...config,
    mostInFlight: 4,
    loopDelayMs: () => lateMs,
    elapsedMs: () => elapsedMs,
  })
  // Over as soon as they are begun, as appraisals are.
  const ask = async () => (await enter())()
  for (let n = 0; n < 3; n++) await ask()
  expect(assertRoom).not.toThrow()
  await ask()
  expect(assertRoom).toThrow('the service runs 101 ms late')
  lateMs = 100
  expect(assertRoom).not.toThrow()
  lateMs = 101
  elapsedMs = 499
  expect(assertRoom).toThrow('overloaded')
  elapsedMs = 500
  expect(assertRoom).not.toThrow()
})
