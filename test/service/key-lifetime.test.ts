/** Which key signs, which are published, which may go: a table of clocks and keys, and clocks that are wrong. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  forgettableAt,
  isDue,
  type KeyDates,
  published,
  sequenceOf,
  signerAt,
  stateOf,
} from '#src/service/key-lifetime.ts'

const HOUR = 3600_000
const DAY = 24 * HOUR
const START = Date.parse('2026-06-01T00:00:00Z')
const day = (days: number) => new Date(START + days * DAY)
const schedule = { rotationMs: 30 * DAY, overlapMs: 15 * 60_000 }

/** Active from that day on, made a quarter of an hour before. */
function key(kid: string, from: number, revoked?: number): KeyDates {
  return {
    kid,
    createdAt: new Date(day(from).getTime() - schedule.overlapMs),
    activeFrom: day(from),
    revokedAt: revoked === undefined ? undefined : day(revoked),
  }
}

const [a, b, c] = [key('a', 0), key('b', 30), key('c', 60)]

describe.each<[string, readonly KeyDates[], number, string | undefined, string, string]>([
  // what, keys, day, who signs, who is published for as long as it is kept, who may be forgotten
  ['one key', [a], 1, 'a', 'a', ''],
  ['one key, however old', [a], 400, 'a', 'a', ''],
  ['a successor before its time', [a, b], 29.99, 'a', 'ba', ''],
  ['a successor on its first instant', [a, b], 30, 'b', 'ba', ''],
  ['the retired one for a day', [a, b], 30.99, 'b', 'ba', ''],
  ['and no longer than it is kept', [a, b], 31, 'b', 'ba', 'a'],
  ['three generations', [a, b, c], 60.5, 'c', 'cba', 'a'],
  ['a clock that is behind every key', [a, b], -300, 'a', 'ba', ''],
  ['a clock of 1970', [b, c], -20_000, 'b', 'cb', ''],
  ['a clock that is far ahead', [a, b], 9000, 'b', 'ba', 'a'],
  ['a key for a time that a wrong clock meant', [a, key('x', 9000)], 45, 'a', 'xa', ''],
  ['the signer revoked, its replacement there', [key('a', 0, 5), key('b', 5)], 5, 'b', 'b', ''],
  ['the signer revoked, and nothing else', [key('a', 0, 5)], 6, undefined, '', ''],
  ['the successor revoked before its time', [a, key('b', 30, 29)], 31, 'a', 'a', ''],
  [
    'the successor revoked after it signed: who was before signs again',
    [a, key('b', 30, 30.5)],
    30.6,
    'a',
    'a',
    '',
  ],
  ['a revoked key after a month', [key('a', 0, 5), key('b', 5.1)], 36, 'b', 'b', 'a'],
  ['a revoked key before that', [key('a', 0, 5), key('b', 5.1)], 34, 'b', 'b', ''],
  ['a revoked key without anything after it', [a, key('b', 30, 29)], 90, 'a', 'a', ''],
  ['no key', [], 0, undefined, '', ''],
])('%s', (_, keys, at, signs, shown, forgettable) => {
  const names = (some: readonly KeyDates[]) => some.map(({ kid }) => kid).join('')

  test.each([
    ['as they were made', keys],
    ['the other way round', keys.toReversed()],
  ])('%s', (_, order) => {
    expect(signerAt(order, day(at))?.kid).toBe(signs)
    expect(names(published(order))).toBe(shown)
    expect(names(forgettableAt(order, day(at)))).toBe(forgettable)
  })
})

const anyKeys = fc.uniqueArray(
  fc.record({
    kid: fc.string({ minLength: 1, maxLength: 4 }),
    createdAt: fc.date({ noInvalidDate: true }),
    activeFrom: fc.date({ noInvalidDate: true }),
    revokedAt: fc.option(fc.date({ noInvalidDate: true }), { nil: undefined }),
  }),
  { selector: ({ kid }) => kid, maxLength: 8 },
)
const anyDate = fc.date({ noInvalidDate: true })

describe('whatever the keys and the clock', () => {
  test('somebody signs wherever a key was not revoked, and who signs is published', () =>
    fc.assert(
      fc.property(anyKeys, anyDate, (keys, at) => {
        const signer = signerAt(keys, at)
        expect(signer === undefined).toBe(keys.every(({ revokedAt }) => revokedAt))
        if (signer) expect(published(keys)).toContain(signer)
      }),
    ))

  test('nothing that signs, will or did within a day is forgotten, and nothing revoked is published', () =>
    fc.assert(
      fc.property(anyKeys, anyDate, (keys, at) => {
        for (const gone of forgettableAt(keys, at))
          expect(['over', 'revoked']).toContain(stateOf(gone, keys, at))
        expect(published(keys).filter(({ revokedAt }) => revokedAt)).toEqual([])
      }),
    ))

  test('one key is active, unless there is none that could be', () =>
    fc.assert(
      fc.property(anyKeys, anyDate, (keys, at) => {
        const active = keys.filter((each) => stateOf(each, keys, at) === 'active')
        expect(active).toEqual(signerAt(keys, at) ? [signerAt(keys, at)] : [])
      }),
    ))
})

describe('a successor is due', () => {
  test.each<[string, readonly KeyDates[], number, boolean]>([
    ['not before the time', [a], 29.9, false],
    ['at the time', [a], 30, true],
    ['not where one waits', [a, key('b', 30.005)], 30, false],
    ['where the one that waits does so for years', [a, key('b', 9000)], 30, true],
    ['where the one that waits was revoked', [a, key('b', 30.005, 30)], 30, true],
    ['at once where every key is revoked', [key('a', 0, 1)], 2, true],
    ['not while the clock is behind', [a, b], -100, false],
  ])('%s', (_, keys, at, due) => expect(isDue(keys, schedule, day(at))).toBe(due))
})

test('the sequence rises with every change of what is published, and is the same after the forgetting', () => {
  const d = { ...key('d', 70), createdAt: day(70) }
  const life: readonly (readonly KeyDates[])[] = [
    [a],
    [a, b],
    // Forgotten only after the next had come: the service was not there for a month.
    [a, b, c],
    [b, c],
    [c],
    [c, d],
    [{ ...c, revokedAt: day(70) }, d],
    [d],
  ]
  let before = { sequence: 0, shown: '' }
  for (const keys of life) {
    const shown = published(keys)
      .map(({ kid }) => kid)
      .join('')
    const sequence = sequenceOf(keys)
    if (shown === before.shown) expect(sequence).toBe(before.sequence)
    else expect(sequence).toBeGreaterThan(before.sequence)
    before = { sequence, shown }
  }
})
