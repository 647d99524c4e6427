/** What a session has spent: days, rates, and what a lying collector can do to the sums. */
import { describe, expect, test } from 'vitest'
import { usageAfter } from '#src/policy/runtime/usage.ts'
import { noUsage } from '#src/rats/runtime-usage.ts'
import { connection, interval } from './subjects.ts'

const at = new Date('2026-06-01T23:59:50Z')
const later = new Date('2026-06-02T00:00:10Z')

test('money adds up within a day and begins anew with the next', () => {
  const first = usageAfter(noUsage, [interval({ modelMicroUsd: 5 })], at)
  const second = usageAfter(
    first,
    [interval({ modelMicroUsd: 6 }), interval({ modelMicroUsd: 1 })],
    at,
  )
  expect(second).toMatchObject({ day: '2026-06-01', modelMicroUsd: 12 })
  expect(usageAfter(second, [interval({ modelMicroUsd: 2 })], later)).toMatchObject({
    day: '2026-06-02',
    modelMicroUsd: 2,
  })
})

test('one message without an interval changes nothing, not even the day', () => {
  const usage = usageAfter(noUsage, [interval({})], at)
  expect(usageAfter(usage, [connection({})], later)).toBe(usage)
  expect(usageAfter(usage, ['{'], later)).toBe(usage)
})

describe('tokens per minute', () => {
  const spent = (tokens: readonly number[]) =>
    tokens.reduce(
      (usage, modelTokens) => usageAfter(usage, [interval({ modelTokens })], at),
      noUsage,
    ).modelTokensPerMinute

  test('a single large call is not multiplied to a minute', () => expect(spent([5000])).toBe(5000))

  test('what is spent steadily is counted in full', () => {
    const steady = spent(Array.from({ length: 60 }, () => 1000))
    expect(Math.abs(steady - 6000)).toBeLessThan(10)
  })

  test('it fades once nothing is spent', () =>
    expect(spent([6000, ...Array.from({ length: 30 }, () => 0)])).toBeLessThan(100))

  test('an interval longer than a minute counts by the minute, one without length as it is', () => {
    const rate = (milliseconds: number) =>
      usageAfter(noUsage, [interval({ milliseconds, modelTokens: 1200 })], at).modelTokensPerMinute
    expect(rate(120_000)).toBe(600)
    expect(rate(0)).toBe(1200)
  })
})

test('processor and memory are the highest of the message', () => {
  const message = [
    interval({ cpuMillis: 5000, memoryMiB: 10 }),
    interval({ cpuMillis: 100, memoryMiB: 700 }),
    interval({ milliseconds: 1, cpuMillis: 3, memoryMiB: 1 }),
  ]
  expect(usageAfter(noUsage, message, at)).toMatchObject({ cpuMillis: 500, memoryMiB: 700 })
})

test('sums that grow without end stay whole numbers that a store holds', () => {
  const most = Number.MAX_SAFE_INTEGER
  const huge = interval({
    modelMicroUsd: most,
    modelTokens: most,
    cpuMillis: most,
    milliseconds: 0,
  })
  const usage = usageAfter(usageAfter(noUsage, [huge], at), [huge, huge], at)
  for (const sum of [usage.modelMicroUsd, usage.modelTokensPerMinute, usage.cpuMillis])
    expect(Number.isSafeInteger(sum)).toBe(true)
})
