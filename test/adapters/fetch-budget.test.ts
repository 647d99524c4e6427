/** How much does it take to make us ask a vendor, and how soon do we come back after a failure? */
import { describe, expect, test } from 'vitest'
import { type Errand, fetchBudget, usualFetchBudget } from '../../src/adapters/fetch-budget.ts'
import { absent } from '../../src/adapters/fetch-budget-absent.ts'
import { tokenBucket } from '../../src/adapters/fetch-budget-bucket.ts'
import { circuit, retryAfterSeconds } from '../../src/adapters/fetch-budget-circuit.ts'
import { jitter } from '../../src/adapters/fetch-budget-jitter.ts'
import { Problem } from '../../src/problems.ts'
import type { FetchResponse } from '../../src/service/endorsement-source.ts'
import { middling, movableClock } from '../fakes/endorsement-rig.ts'

const start = new Date('2026-01-01T00:00:00Z')
const at = (seconds: number) => new Date(start.getTime() + seconds * 1000)

describe('the token bucket', () => {
  test('gives its burst, then one token per interval, and says how long the next one takes', () => {
    const bucket = tokenBucket({ burst: 3, refillSeconds: 10 })
    expect([0, 0, 0, 0, 4, 10, 10.5].map((seconds) => bucket.take(at(seconds)))).toEqual([
      0, 0, 0, 10, 6, 0, 9.5,
    ])
  })

  test('holds no more than its burst, however long it was left alone', () => {
    const bucket = tokenBucket({ burst: 2, refillSeconds: 10 })
    expect([0, 1e6, 1e6, 1e6].map((seconds) => bucket.take(at(seconds)))).toEqual([0, 0, 0, 10])
  })

  test('gives nothing for a clock that was set back', () => {
    const bucket = tokenBucket({ burst: 1, refillSeconds: 10 })
    expect([100, 0, 5].map((seconds) => bucket.take(at(seconds)))).toEqual([0, 10, 5])
  })
})

describe('the circuit', () => {
  test('grows exponentially, up to five minutes, with full jitter', () => {
    for (const chance of [0, 0.5, 0.999]) {
      const host = circuit(() => chance)
      let now = 0
      const waits = Array.from({ length: 10 }, () => {
        const wait = host.failed(at(now), undefined)
        now += wait
        return wait
      })
      expect(waits.map((wait) => Math.round(wait))).toEqual(
        [2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((most) => Math.round(most * chance)),
      )
    }
  })

  test.each([
    [30, 30],
    [0, 1],
    [1e9, 3600],
  ])('Retry-After of %d s is honoured as %d s', (asked, seconds) =>
    expect(circuit(() => 0.5).failed(at(0), asked)).toBe(seconds),
  )

  test('lets one request try the host, and the rest wait for what comes of it', () => {
    const host = circuit(() => 0.5)
    host.failed(at(0), undefined)
    expect(host.secondsClosed(at(0.25))).toBe(0.75)
    expect(host.secondsClosed(at(1))).toBe(0)
    host.started()
    expect(host.secondsClosed(at(1))).toBeGreaterThan(0)
    host.succeeded()
    expect(host.secondsClosed(at(1))).toBe(0)
  })

  test('what one request was told is not shortened by another that fails with it', () => {
    const host = circuit(() => 0.5)
    expect(host.failed(at(0), 40)).toBe(40)
    expect(host.failed(at(1), undefined)).toBe(39)
    expect(host.secondsClosed(at(39))).toBe(1)
  })

  test('a failure after a success begins anew', () => {
    const host = circuit(() => 0.5)
    for (const _ of [1, 2, 3]) host.failed(at(0), undefined)
    host.succeeded()
    expect(host.failed(at(100), undefined)).toBe(1)
  })
})

test.each([
  ['120', 120],
  ['0', 0],
  ['Thu, 01 Jan 2026 00:02:00 GMT', 120],
  ['Wed, 31 Dec 2025 23:00:00 GMT', 0],
  ['-5', undefined],
  ['1.5', undefined],
  ['99999999999', undefined],
  ['2026-01-01T00:02:00Z', undefined],
  ['Xyz, 99 Jan 2026 00:02:00 GMT', undefined],
  ['soon', undefined],
  ['', undefined],
])('Retry-After "%s" is %s', (header, seconds) =>
  expect(retryAfterSeconds(header, start)).toBe(seconds),
)

test('absences are bounded: the oldest is forgotten first, and each after its time', () => {
  const absences = absent({ seconds: 60, most: 2 })
  for (const name of ['a', 'b', 'c']) absences.remember(name, start)
  expect(['a', 'b', 'c'].map((name) => absences.secondsLeft(name, at(10)))).toEqual([0, 50, 50])
  expect(absences.secondsLeft('c', at(60))).toBe(0)
})

test('jitter covers [0, 1)', () => {
  const of = (byte: number) => jitter({ bytes: (size) => new Uint8Array(size).fill(byte) })
  expect(of(0)).toBe(0)
  expect(of(255)).toBeLessThan(1)
  expect(of(255)).toBeGreaterThan(0.999)
})

type Responder = (url: string) => Partial<FetchResponse> | Error

function budget(respond: Responder) {
  const asked: string[] = []
  const clock = movableClock(start)
  const { run } = fetchBudget(
    {
      clock,
      random: middling,
      fetch: async ({ url }) => {
        asked.push(url)
        const answer = respond(url)
        if (answer instanceof Error) throw answer
        return { status: 200, headers: new Map(), bytes: new Uint8Array(), ...answer }
      },
    },
    usualFetchBudget,
  )
  const chip = (name: string): Errand<string> => ({
    name,
    title: name,
    vendor: 'AMD KDS',
    url: `https://kds.example/${name}`,
    maxBytes: 100,
    mayBeAbsent: true,
    drawsOnBudget: true,
    read: () => 'read',
  })
  const list = (name: string): Errand<string> => ({
    ...chip(name),
    mayBeAbsent: false,
    drawsOnBudget: false,
  })
  /** What was read, or why not and when to come back. */
  const outcome = async (errand: Errand<unknown>) => {
    try {
      return await run(errand)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      return [error.code, error.members.reason, error.retryAfterSeconds]
    }
  }
  return { asked, clock, chip, list, outcome }
}

const failed = (seconds: number) => ['collateral-unavailable', 'failed', seconds]

describe('unknown chips', () => {
  test('cost three fetches at once and then one in ten seconds', async () => {
    const { asked, clock, chip, outcome } = budget(() => ({ status: 404 }))
    const outcomes: unknown[] = []
    for (let n = 0; n < 100; n++) outcomes.push(await outcome(chip(`chip-${n}`)))
    expect(asked).toHaveLength(3)
    expect(outcomes.at(-1)).toEqual(['collateral-unavailable', 'budget-spent', 10])
    clock.advance(25)
    for (let n = 100; n < 200; n++) await outcome(chip(`chip-${n}`))
    expect(asked).toHaveLength(5)
  })

  test('of which the vendor knows nothing are not asked for again within the hour', async () => {
    const { asked, clock, chip, outcome } = budget(() => ({ status: 404 }))
    await outcome(chip('one'))
    clock.advance(3599)
    expect(await outcome(chip('one'))).toEqual(['collateral-unavailable', 'not-published', 1])
    expect(asked).toHaveLength(1)
    clock.advance(1)
    await outcome(chip('one'))
    expect(asked).toHaveLength(2)
  })

  test('spend the budget of their own host only', async () => {
    const { asked, chip, outcome } = budget(() => ({ status: 404 }))
    for (let n = 0; n < 5; n++) await outcome(chip(`chip-${n}`))
    await outcome({ ...chip('platform'), url: 'https://pcs.example/platform' })
    expect(asked.filter((url) => url.startsWith('https://pcs.example'))).toHaveLength(1)
  })

  test('over which the vendor stumbles do not keep us from revocation lists', async () => {
    const { chip, list, outcome } = budget((url) => ({ status: url.endsWith('odd') ? 500 : 200 }))
    expect(await outcome(chip('odd'))).toEqual(failed(1))
    expect(await outcome(list('crl'))).toBe('read')
  })
})

describe('a host that fails', () => {
  test.each<[string, Responder]>([
    ['an error of its own', () => ({ status: 500 })],
    [
      'a redirect',
      () => ({ status: 302, headers: new Map([['location', 'https://evil.example']]) }),
    ],
    ['no list where there must be one', () => ({ status: 404 })],
    [
      'a connection that breaks',
      () => new TypeError('fetch failed', { cause: new Error('ECONNRESET') }),
    ],
  ])('with %s is left alone, and asked again after that', async (_, respond) => {
    let isBroken = true
    const { asked, clock, list, outcome } = budget((url) => (isBroken ? respond(url) : {}))
    expect(await outcome(list('crl'))).toEqual(failed(1))
    expect(await outcome(list('other'))).toEqual(failed(1))
    expect(asked).toEqual(['https://kds.example/crl'])
    isBroken = false
    clock.advance(1)
    expect(await outcome(list('crl'))).toBe('read')
  })

  test('with an answer that is not what was asked for is left alone too', async () => {
    const { asked, list, outcome } = budget(() => ({}))
    const unreadable = {
      ...list('crl'),
      read() {
        throw new Error('not DER')
      },
    }
    expect(await outcome(unreadable)).toEqual(failed(1))
    expect(await outcome(unreadable)).toEqual(failed(1))
    expect(asked).toHaveLength(1)
  })

  test.each([429, 503])(
    'with %d and Retry-After is left alone that long, for everything',
    async (status) => {
      const headers = new Map([['retry-after', '40']])
      const { asked, clock, chip, list, outcome } = budget(() => ({ status, headers }))
      expect(await outcome(chip('one'))).toEqual(failed(40))
      expect(await outcome(chip('two'))).toEqual(failed(40))
      expect(await outcome(list('crl'))).toEqual(failed(40))
      clock.advance(39.5)
      expect(await outcome(list('crl'))).toEqual(failed(1))
      expect(asked).toHaveLength(1)
      clock.advance(0.5)
      await outcome(list('crl'))
      expect(asked).toHaveLength(2)
    },
  )

  test('does not use up the budget while it is left alone', async () => {
    const { asked, clock, chip, outcome } = budget(() => ({ status: 500 }))
    for (let n = 0; n < 50; n++) await outcome(chip(`chip-${n}`))
    expect(asked).toHaveLength(1)
    clock.advance(1)
    await outcome(chip('another'))
    expect(asked).toHaveLength(2)
  })

  test('says why in words', async () => {
    const { list } = budget(() => ({}))
    const { run } = fetchBudget(
      {
        clock: movableClock(start),
        random: middling,
        fetch: () =>
          Promise.reject(new TypeError('fetch failed', { cause: new Error('ECONNRESET') })),
      },
      usualFetchBudget,
    )
    await expect(run(list('the list'))).rejects.toThrow(
      'the list could not be had from AMD KDS: fetch failed: ECONNRESET',
    )
  })
})
