/** Chores while the service runs: again and again, never twice at once, their failures in the log, over before the store closes. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startChores } from '#src/http/chores.ts'
import type { JournalEntry } from '#src/service/ports.ts'
import type { Chore } from '#src/service/verifier.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function started(...chores: readonly Chore[]) {
  const journal: JournalEntry[] = []
  const running = startChores({
    chores,
    clock: { now: () => new Date('2026-06-01T00:00:00Z') },
    journal: { record: (entry) => journal.push(entry) },
  })
  return { running, journal }
}

test('a chore is done after each pause, and no more once it is stopped', async () => {
  const run = vi.fn(async () => {})
  const { running } = started({ name: 'sweep', everyMs: 500, run })
  expect(run).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(1_700)
  expect(run).toHaveBeenCalledTimes(3)
  await running.stop()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(run).toHaveBeenCalledTimes(3)
})

test('a chore that is slow is late, and never runs twice at once; stopping waits for it', async () => {
  let finish = () => {}
  const run = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)))
  const { running } = started({ name: 'slow', everyMs: 100, run })
  await vi.advanceTimersByTimeAsync(1_000)
  expect(run).toHaveBeenCalledTimes(1)
  let isOver = false
  const over = running.stop().then(() => (isOver = true))
  await vi.advanceTimersByTimeAsync(1_000)
  expect(isOver).toBe(false)
  finish()
  await over
  expect(run).toHaveBeenCalledTimes(1)
})

test('a failure is in the log with the name of its chore, and keeps neither it nor another from running', async () => {
  const failing = vi.fn(async () => {
    throw new Error('the database is gone')
  })
  const other = vi.fn(async () => {})
  const { running, journal } = started(
    { name: 'failing', everyMs: 500, run: failing },
    { name: 'other', everyMs: 500, run: other },
  )
  await vi.advanceTimersByTimeAsync(500)
  expect(journal).toMatchObject([
    { event: 'request.failed', fields: { chore: 'failing' }, cause: { message: /database/ } },
  ])
  await vi.advanceTimersByTimeAsync(1_000)
  expect(failing).toHaveBeenCalledTimes(3)
  expect(other).toHaveBeenCalledTimes(3)
  await running.stop()
})

test('a failure that goes on fills no log: one line a minute, and one at once after it was mended', async () => {
  let isBroken = true
  const run = async () => {
    if (isBroken) throw new Error('the database is gone')
  }
  const { running, journal } = started({ name: 'failing', everyMs: 500, run })
  await vi.advanceTimersByTimeAsync(59_000)
  expect(journal).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(2_000)
  expect(journal).toHaveLength(2)
  isBroken = false
  await vi.advanceTimersByTimeAsync(1_000)
  isBroken = true
  await vi.advanceTimersByTimeAsync(1_000)
  expect(journal).toHaveLength(3)
  await running.stop()
})
