/** What is counted of a request, under which names, and that nobody can make up new ones. */
import { expect, test } from 'vitest'
import { durationBounds, OTHER_ROUTE, requestCounts } from '#src/http/request-counts.ts'

const route = { method: 'POST', path: '/v1/attestations' }

test('a request is in flight until it is answered, and counted once', () => {
  let now = 0
  const counts = requestCounts(() => now)
  const over = counts.begin(route)
  const other = counts.begin({ method: 'GET', path: OTHER_ROUTE })
  expect(counts.figures().inFlight).toBe(2)
  now = 30
  over(200)
  over(500)
  other(404)
  expect(counts.figures()).toMatchObject({
    inFlight: 0,
    routes: [
      { ...route, statusClass: '2xx', count: 1, seconds: 0.03 },
      { method: 'GET', path: OTHER_ROUTE, statusClass: '4xx', count: 1 },
    ],
  })
})

test.each([
  [0, 1],
  [1, 1],
  [1.1, 0],
  [25, 0],
  [20_000, 0],
])('%d ms: %i within the first bound, and cumulative from there', (ms, first) => {
  let now = 0
  const counts = requestCounts(() => now)
  const over = counts.begin(route)
  now = ms
  over(200)
  const [{ within = [] } = {}] = counts.figures().routes
  expect(within[0]).toBe(first)
  expect(within).toHaveLength(durationBounds.length)
  for (const [index, bound] of durationBounds.entries())
    expect(within[index]).toBe(ms / 1000 <= bound ? 1 : 0)
})

test.each([
  [200, '2xx'],
  [302, '3xx'],
  [429, '4xx'],
  [503, '5xx'],
  [0, '5xx'],
])('status %i is %s', (status, statusClass) => {
  const counts = requestCounts(() => 0)
  counts.begin(route)(status)
  expect(counts.figures().routes).toEqual([expect.objectContaining({ statusClass })])
})

test('what was turned away is counted by reason', () => {
  const counts = requestCounts(() => 0)
  counts.turnedAway('overload')
  counts.turnedAway('overload')
  counts.turnedAway('caller-rate')
  expect(counts.figures().turnedAway).toEqual({ overload: 2, 'caller-rate': 1, 'tenant-rate': 0 })
})
