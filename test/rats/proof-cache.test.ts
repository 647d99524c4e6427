import { expect, test } from 'vitest'
import type { Interval } from '../../src/pki/interval.ts'
import { proofCache, proofKind } from '../../src/rats/proof-cache.ts'

const day = (n: number) => new Date(Date.UTC(2026, 0, n))
const kind = proofKind<Interval>('kind')
const proof = { notBefore: day(10), notAfter: day(20) }

test.each([
  [9, undefined],
  [10, proof],
  [20, proof],
  [21, undefined],
])('on day %i a proof for days 10 to 20 gives %o', (n, expected) => {
  const cache = proofCache(4)
  cache.put(kind, 'key', proof)
  expect(cache.get(kind, 'key', day(n))).toBe(expected)
})

test('a key of one kind finds nothing of another', () => {
  const cache = proofCache(4)
  cache.put(kind, 'key', proof)
  expect(cache.get(proofKind<Interval>('other'), 'key', day(15))).toBeUndefined()
})

test('what was asked for lately outlives what was not', () => {
  const cache = proofCache(4)
  cache.put(kind, 'asked', proof)
  cache.put(kind, 'forgotten', proof)
  for (let n = 0; n < 20; n++) {
    expect(cache.get(kind, 'asked', day(15))).toBe(proof)
    cache.put(kind, `other ${n}`, proof)
  }
  expect(cache.get(kind, 'forgotten', day(15))).toBeUndefined()
})

test.each([1, 2, 7, 64])('a cache of %i never holds more', (limit) => {
  const cache = proofCache(limit)
  for (let n = 0; n < 500; n++) {
    cache.put(kind, `key ${n % 90}`, proof)
    cache.get(kind, `key ${(n * 7) % 90}`, day(15))
    expect(cache.size()).toBeLessThanOrEqual(Math.max(2, limit))
  }
})
