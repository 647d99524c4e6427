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

test('the least recently used proof leaves a full cache', () => {
  const cache = proofCache(2)
  cache.put(kind, 'a', proof)
  cache.put(kind, 'b', proof)
  cache.get(kind, 'a', day(15))
  cache.put(kind, 'c', proof)
  expect(cache.get(kind, 'a', day(15))).toBe(proof)
  expect(cache.get(kind, 'b', day(15))).toBeUndefined()
  expect(cache.size()).toBe(2)
})
