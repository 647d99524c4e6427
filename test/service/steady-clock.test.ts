/** When may anything be forgotten by age? Not while the clock that says how old it is may be wrong. */
import { expect, test } from 'vitest'
import { steadyClock } from '#src/service/steady-clock.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const YEAR = 365 * DAY
const AT = Date.parse('2026-06-01T00:00:00Z')

/** `newestMs` before the beginning something was written. `after` advances both clocks, `set` only the one on the wall. */
function scene(newestMs: number | undefined = 0) {
  let elapsed = 5_000_000
  let wall = AT
  const steady = steadyClock({
    elapsedMs: () => elapsed,
    at: new Date(wall),
    newest: newestMs === undefined ? undefined : new Date(AT - newestMs),
  })
  const look = () => steady.look(new Date(wall))
  return {
    mayForget: () => steady.mayForget(new Date(wall)),
    set(ms: number) {
      wall += ms
    },
    after(ms: number, by = MINUTE) {
      let last = look()
      for (let done = 0; done < ms; done += by) {
        elapsed += by
        wall += by
        last = look()
      }
      return last
    },
  }
}

test('not in the first hour of a process, and from then on', () => {
  const clock = scene()
  expect(clock.after(HOUR - MINUTE).mayForget).toBe(false)
  expect(clock.after(MINUTE)).toEqual({ mayForget: true, stepMs: 0 })
  expect(clock.after(3 * DAY, HOUR).mayForget).toBe(true)
})

test.each([
  ['forward for an hour', HOUR],
  ['back for an hour', -HOUR],
  ['forward for ten years', 10 * YEAR],
  ['back for ten years', -10 * YEAR],
  ['forward for a minute', MINUTE],
])('not for a day after it was set %s, and again when it is set right', (_, ms) => {
  const clock = scene()
  clock.after(2 * HOUR)
  clock.set(ms)
  expect(clock.after(0)).toEqual({ mayForget: false, stepMs: ms })
  expect(clock.after(DAY - HOUR, HOUR)).toEqual({ mayForget: false, stepMs: 0 })
  clock.set(-ms)
  expect(clock.after(0).stepMs).toBe(-ms)
  expect(clock.after(DAY - HOUR, HOUR).mayForget).toBe(false)
  expect(clock.after(HOUR).mayForget).toBe(true)
})

test('whoever forgets besides goes by a step that nobody looked at yet, and leaves it to be told', () => {
  const clock = scene()
  clock.after(HOUR - MINUTE)
  expect(clock.mayForget()).toBe(false)
  clock.after(MINUTE)
  expect(clock.mayForget()).toBe(true)
  clock.set(YEAR)
  expect(clock.mayForget()).toBe(false)
  expect(clock.after(0)).toEqual({ mayForget: false, stepMs: YEAR })
  expect(clock.mayForget()).toBe(false)
  clock.after(DAY, HOUR)
  expect(clock.mayForget()).toBe(true)
})

test('a clock that is slewed is steady', () => {
  const clock = scene()
  clock.after(HOUR)
  // 500 ppm, the most that the kernel slews by: 30 ms in a minute.
  for (let minute = 0; minute < 120; minute += 1) {
    clock.set(30)
    expect(clock.after(MINUTE)).toEqual({ mayForget: true, stepMs: 0 })
  }
})

test.each([
  ['nothing was ever written', undefined, HOUR],
  ['something was written a minute before', MINUTE, HOUR],
  ['the last was written two hours before', 2 * HOUR, DAY],
  ['the last was written ten years before', 10 * YEAR, DAY],
  ['the last was written a day later than now', -DAY, DAY],
])('of a process that begins where %s', (_, newestMs, heldMs) => {
  const clock = scene(newestMs)
  expect(clock.after(heldMs - MINUTE).mayForget).toBe(false)
  expect(clock.after(MINUTE).mayForget).toBe(true)
})
