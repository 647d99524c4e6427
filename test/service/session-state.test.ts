/** In which state a session is, read off its record, the clock and our own outages. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Outage } from '#src/service/session-ports.ts'
import { heardSince, leaseUntil, stateOf } from '#src/service/session-state.ts'

const HEARD = new Date('2026-06-01T00:00:00Z')
const instant = (seconds: number) => new Date(HEARD.getTime() + seconds * 1000)
const session = { standing: 'open', heardAt: HEARD, heartbeatSeconds: 10 } as const
const outage = (from: number, until: number): Outage => ({
  from: instant(from),
  until: instant(until),
})

describe('an open session', () => {
  test.each([
    ['just heard', 0, [], 'ACTIVE'],
    ['one heartbeat late', 19.999, [], 'ACTIVE'],
    ['two heartbeats late', 20, [], 'LATE'],
    ['almost four heartbeats late', 39.999, [], 'LATE'],
    ['four heartbeats late', 40, [], 'SUSPENDED'],
    ['silent for a day', 86_400, [], 'SUSPENDED'],
    ['heard by a clock that is a little ahead', -2, [], 'ACTIVE'],
    ['heard by a clock that was set back since', -2.001, [], 'LATE'],
    ['heard a year from now', -365 * 86_400, [], 'LATE'],
    ['unheard while we were away', 100, [outage(5, 95)], 'LATE'],
    ['unheard while we were away, and for long before', 140, [outage(35, 135)], 'SUSPENDED'],
    ['unheard while we were away, and for long after', 140, [outage(5, 100)], 'SUSPENDED'],
    ['unheard since before an outage that was over', 40, [outage(-100, 0)], 'SUSPENDED'],
    ['away for the ten minutes that are forgiven', 610, [outage(0, 600)], 'LATE'],
    ['away for longer than is forgiven', 660, [outage(0, 650)], 'SUSPENDED'],
    ['away twice', 1_230, [outage(0, 600), outage(610, 1_210)], 'LATE'],
    ['away once, told twice', 130, [outage(0, 60), outage(0, 60)], 'SUSPENDED'],
    ['away in two that overlap', 130, [outage(40, 100), outage(0, 60)], 'LATE'],
    ['away in one that ends in the future', 100, [outage(10, 500)], 'LATE'],
    ['away in one that ends before it begins', 100, [outage(90, 10)], 'SUSPENDED'],
  ] as const)('that is %s (%d s) is %s', (_, seconds, outages, state) =>
    expect(stateOf(session, { at: instant(seconds), outages })).toBe(state),
  )

  test('is late after its lease, whatever its heartbeat is', () => {
    const often = { ...session, heartbeatSeconds: 2 }
    expect(leaseUntil(often)).toEqual(instant(4))
    expect(stateOf(often, { at: instant(3.999), outages: [] })).toBe('ACTIVE')
    expect(stateOf(often, { at: instant(4), outages: [] })).toBe('LATE')
    expect(heardSince(instant(4), often)).toEqual(HEARD)
  })

  test('with a time that is none is no longer trusted', () =>
    expect(stateOf({ ...session, heardAt: new Date(Number.NaN) }, { at: HEARD, outages: [] })).toBe(
      'SUSPENDED',
    ))
})

test.each([
  ['suspended', 'SUSPENDED'],
  ['quarantined', 'QUARANTINED'],
  ['revoked', 'REVOKED'],
  ['closed', 'CLOSED'],
] as const)('one that was %s is so, whenever it was heard', (standing, state) => {
  for (const seconds of [-100, 0, 5, 100])
    expect(stateOf({ ...session, standing }, { at: instant(seconds), outages: [] })).toBe(state)
})

const gravity = ['ACTIVE', 'LATE', 'SUSPENDED']
const outages = fc.array(
  fc
    .tuple(fc.integer({ min: -2_000, max: 4_000 }), fc.integer({ min: 1, max: 2_000 }))
    .map(([from, length]) => outage(from, from + length)),
  { maxLength: 6 },
)

describe('whatever outages there were', () => {
  test('a state never gets better without a message, once they are over', () =>
    fc.assert(
      fc.property(
        outages,
        fc.integer({ min: 0, max: 5_000 }),
        fc.integer({ min: 0, max: 5_000 }),
        (all, a, b) => {
          const known = all.filter(({ until }) => until <= instant(Math.min(a, b)))
          const at = (seconds: number) =>
            gravity.indexOf(stateOf(session, { at: instant(seconds), outages: known }))
          expect(at(Math.max(a, b))).toBeGreaterThanOrEqual(at(Math.min(a, b)))
        },
      ),
    ))

  test('only who was heard within two heartbeats, by the clock, is ACTIVE', () =>
    fc.assert(
      fc.property(outages, fc.integer({ min: -5_000, max: 5_000 }), (all, seconds) => {
        const state = stateOf(session, { at: instant(seconds), outages: all })
        expect(state === 'ACTIVE').toBe(seconds >= -2 && seconds < 20)
      }),
    ))

  test('each forgives at most ten minutes, and time is forgiven once', () =>
    fc.assert(
      fc.property(outages, fc.integer({ min: 40, max: 8_000 }), (all, seconds) => {
        if (stateOf(session, { at: instant(seconds), outages: all }) !== 'LATE') return
        let away = 0
        for (let second = 0; second < seconds; second++)
          if (all.some(({ from, until }) => from <= instant(second) && instant(second) < until))
            away++
        expect(seconds - away).toBeLessThan(40)
        expect(seconds - all.length * 600).toBeLessThan(40)
      }),
      { numRuns: 50 },
    ))
})
