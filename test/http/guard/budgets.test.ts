/** What is counted against what, and how it is said. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { guardDefaults } from '#src/config/guard-settings.ts'
import { budgets } from '#src/http/guard/budgets.ts'
import { rateLimitOfStrangers } from '#src/http/guard/rate-limits.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const limits = {
  challenges: 2,
  handshakes: 2,
  attestations: 3,
  releases: 4,
  public: 5,
  operators: 2,
  failedOperators: 2,
  tenant: 3,
  session: 2,
  tenantSessions: 3,
  refusedMessages: 2,
}
const codeOf = (asked: Promise<void>) =>
  asked.then(
    () => 'within',
    ({ code }) => code,
  )

test('a caller has a quota for each kind of request, which the headers tell', async () => {
  const exhausted = vi.fn()
  const { drawn } = budgets(limits, exhausted)
  const drawing = drawn('192.0.2.1')
  await drawing.asCaller('challenges')
  expect(drawing.headers()).toEqual([
    ['ratelimit-policy', '"challenges";q=2;w=10'],
    ['ratelimit', '"challenges";r=1;t=10'],
  ])
  await vi.advanceTimersByTimeAsync(4_500)
  await drawn('192.0.2.1').asCaller('challenges')
  const refused = drawn('192.0.2.1')
  await expect(refused.asCaller('challenges')).rejects.toMatchObject({
    code: 'too-many-requests',
    detail: 'challenges: more than 2 in 10 s',
    retryAfterSeconds: 6,
  })
  expect(refused.headers()[1]).toEqual(['ratelimit', '"challenges";r=0;t=6'])
  expect(exhausted.mock.calls).toEqual([['caller-rate']])
  expect(await codeOf(drawn('192.0.2.1').asCaller('attestations'))).toBe('within')
  expect(await codeOf(drawn('192.0.2.2').asCaller('challenges'))).toBe('within')
  await vi.advanceTimersByTimeAsync(6_000)
  expect(await codeOf(drawn('192.0.2.1').asCaller('challenges'))).toBe('within')
})

test('a tenant has one for all its callers, beside theirs', async () => {
  const exhausted = vi.fn()
  const { drawn } = budgets(limits, exhausted)
  for (const caller of ['a', 'b', 'c']) await drawn(caller).forTenant('acme')
  const refused = drawn('d')
  await refused.asCaller('attestations')
  expect(await codeOf(refused.forTenant('acme'))).toBe('too-many-requests')
  expect(refused.headers()).toEqual([
    ['ratelimit-policy', '"attestations";q=3;w=10, "tenant";q=3;w=10'],
    ['ratelimit', '"attestations";r=2;t=10, "tenant";r=0;t=10'],
  ])
  expect(exhausted.mock.calls).toEqual([['tenant-rate']])
  expect(await codeOf(drawn('d').forTenant('default'))).toBe('within')
})

test('an operator has one wherever he asks from', async () => {
  const { drawn } = budgets(limits, () => {})
  await drawn('a').asOperator('otto')
  await drawn('b').asOperator('otto')
  expect(await codeOf(drawn('c').asOperator('otto'))).toBe('too-many-requests')
  expect(await codeOf(drawn('c').asOperator('vera'))).toBe('within')
})

test('whoever guessed too often is told nothing about the next guess', async () => {
  const { drawn } = budgets(limits, () => {})
  for (let guess = 0; guess < 2; guess++) {
    const drawing = drawn('a')
    await drawing.beforeSignIn()
    await drawing.failedSignIn()
  }
  expect(await codeOf(drawn('a').beforeSignIn())).toBe('too-many-requests')
  expect(await codeOf(drawn('b').beforeSignIn())).toBe('within')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(await codeOf(drawn('a').beforeSignIn())).toBe('within')
})

test('what is off counts nobody and says nothing', async () => {
  const off = { ...limits, challenges: undefined, tenant: undefined }
  const { drawn } = budgets(off, () => {})
  const drawing = drawn('a')
  for (let n = 0; n < 100; n++) await drawing.asCaller('challenges')
  for (let n = 0; n < 100; n++) await drawing.forTenant('acme')
  expect(drawing.headers()).toEqual([])
})

test('any number of callers takes no more memory than 65,536', async () => {
  const { draw } = rateLimitOfStrangers({ name: 'x', most: 1_000_000, windowSeconds: 10 })
  const before = vi.getTimerCount()
  for (let n = 0; n < 200_000; n++) await draw(`2001:db8:${n >> 16}:${n & 0xffff}::/64`)
  // One for each slot that is counted.
  expect(vi.getTimerCount() - before).toBeLessThanOrEqual(65_536)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(vi.getTimerCount()).toBe(before)
})

test('the defaults let a benchmark be told apart from an agent', () =>
  expect(guardDefaults.rateLimits).toEqual({
    challenges: 1000,
    handshakes: 3000,
    attestations: 1000,
    releases: 2000,
    public: 2000,
    operators: 1000,
    failedOperators: 30,
    tenant: 20_000,
    session: 60,
    tenantSessions: 200_000,
    refusedMessages: 300,
  }))
