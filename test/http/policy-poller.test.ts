/** When a policy repository is looked at: at once, again and again with varying pauses, soon after a nudge, never twice at once. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Poller, startPoller } from '#src/http/policy-poller.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** `takesMs`: how long a look takes; `share` in 256ths: where between 80 % and 120 % the pause lies. */
function watched({ takesMs = 0, share = 128 } = {}) {
  const looks: number[] = []
  let [running, most] = [0, 0]
  const begun = performance.now()
  const poller: Poller = startPoller({
    async look() {
      // A timer of nothing takes a millisecond.
      looks.push(Math.round((performance.now() - begun) / 10) * 10)
      most = Math.max(most, ++running)
      if (takesMs > 0) await new Promise((done) => setTimeout(done, takesMs))
      running--
    },
    pollSeconds: 30,
    random: {
      bytes: (size) => new Uint8Array(size).fill(share === 128 ? 0 : share).fill(share, 0, 1),
    },
  })
  return { poller, looks, most: () => most }
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

test('looks at once, and the first look can be waited for', async () => {
  const { poller, looks } = watched({ takesMs: 700 })
  let isOver = false
  void poller.firstLook.then(() => {
    isOver = true
  })
  expect(looks).toEqual([0])
  await pass(699)
  expect(isOver).toBe(false)
  await pass(1)
  expect(isOver).toBe(true)
  await poller.close()
})

test.each([
  [0, 24_000],
  [128, 30_000],
  [255, 36_000],
])('pauses within a fifth of what is configured (%i)', async (share, ms) => {
  const { poller, looks } = watched({ share })
  await pass(40_000)
  await poller.close()
  expect(looks[1]).toBeGreaterThan(ms - 100)
  expect(looks[1]).toBeLessThan(ms + 100)
})

describe('a nudge', () => {
  test('brings the next look forward', async () => {
    const { poller, looks } = watched()
    await pass(10_000)
    poller.nudge()
    await pass(0)
    expect(looks).toEqual([0, 10_000])
    await poller.close()
  })

  test('that comes a thousand times costs one look in five seconds', async () => {
    const { poller, looks } = watched()
    for (let at = 0; at < 20_000; at += 20) {
      poller.nudge()
      await pass(20)
    }
    await poller.close()
    expect(looks).toEqual([0, 5_000, 10_000, 15_000, 20_000])
  })

  test('during a look begins another afterwards: the first may have asked too early', async () => {
    const { poller, looks, most } = watched({ takesMs: 8_000 })
    await pass(4_000)
    poller.nudge()
    poller.nudge()
    await pass(8_000)
    expect(looks).toEqual([0, 8_000])
    expect(most()).toBe(1)
    await pass(5_000)
    await poller.close()
  })

  test('after the end is nothing', async () => {
    const { poller, looks } = watched()
    await poller.close()
    poller.nudge()
    await pass(60_000)
    expect(looks).toEqual([0])
  })
})

test('closing waits for the look that runs, and begins no other', async () => {
  const { poller, looks } = watched({ takesMs: 3_000 })
  poller.nudge()
  let isClosed = false
  const closing = poller.close().then(() => {
    isClosed = true
  })
  await pass(2_999)
  expect(isClosed).toBe(false)
  await pass(1)
  await closing
  await pass(60_000)
  expect(looks).toEqual([0])
})
