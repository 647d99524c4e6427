/** While a version is good a change may tighten how a resource may be had, and never loosen it; once none is, there is nothing to guard. */
import { describe, expect, test } from 'vitest'
import type { KnownResource } from '#src/service/release-ports.ts'
import { type SettingsChange, sameSettings, settledBy } from '#src/service/resource-settings.ts'
import { AT } from '../adapters/store-records.ts'

const plain = {
  use: 'release',
  approvals: 0,
  leaseSeconds: 300,
  releasesPerMinute: 10,
  brokerPath: undefined,
  requiresSession: false,
  acceptsSimulated: false,
} as const
const marked = { ...plain, approvals: 2 }
const inSession = { ...plain, requiresSession: true }
const simulated = { ...plain, acceptsSimulated: true }
const served = { ...marked, brokerPath: 'a/b/c' }
const unlimited = { ...marked, releasesPerMinute: undefined }

function known(settings: SettingsChange, revoked: readonly boolean[] = [false]): KnownResource {
  return {
    ...{ tenant: 'default', name: 'secret:db', revision: 1, ...plain, ...settings },
    versions: revoked.map((isRevoked, index) => ({
      version: revoked.length - index,
      createdAt: AT,
      createdBy: 'sara',
      revokedAt: isRevoked ? AT : undefined,
    })),
  }
}

type Case = readonly [what: string, settings: SettingsChange, change: SettingsChange]

const loosening: readonly (readonly [...Case, sentence: string])[] = [
  ['another use', plain, { use: 'sign' }, 'is there to release, and not to sign'],
  [
    'bytes that leave',
    { ...plain, use: 'sign' },
    { use: 'release' },
    'to sign, and not to release',
  ],
  ['fewer approvals', marked, { approvals: 1 }, '2 operators agree, and 1 would be fewer'],
  ['no session', inSession, { requiresSession: false }, 'only inside a session, and would'],
  ['simulated evidence', plain, { acceptsSimulated: true }, 'evidence of hardware, and would'],
  ['a higher limit', marked, { releasesPerMinute: 11 }, '10 times a minute, and 11 would be more'],
  ['no limit', marked, { releasesPerMinute: undefined }, '10 times a minute, and no limit would'],
  ['a longer lease', marked, { leaseSeconds: 301 }, 'for 300 s, and 301 s would be longer'],
  ['a path', marked, { brokerPath: 'a/b/c' }, 'is nowhere on the Key Broker face, and would be at'],
  [
    'another path',
    served,
    { brokerPath: 'a/b/d' },
    'is at a/b/c of the Key Broker face, and would',
  ],
  [
    'a longer lease beside more approvals',
    marked,
    { approvals: 3, leaseSeconds: 301 },
    '301 s would be longer',
  ],
]

const others: readonly Case[] = [
  ['more approvals', plain, { approvals: 2 }],
  ['a session', plain, { requiresSession: true }],
  ['hardware alone', simulated, { acceptsSimulated: false }],
  ['a lower limit', marked, { releasesPerMinute: 9 }],
  ['a limit', unlimited, { releasesPerMinute: 1000 }],
  ['a shorter lease', marked, { leaseSeconds: 30 }],
  ['no path', served, { brokerPath: undefined }],
  ['the same', served, { ...served }],
  // One operator gives it out, and one decides how often, for how long and by which door.
  ['a higher limit where nobody must agree', plain, { releasesPerMinute: 11 }],
  ['no limit where nobody must agree', plain, { releasesPerMinute: undefined }],
  ['a longer lease where nobody must agree', plain, { leaseSeconds: 301 }],
  ['a path where nobody must agree', plain, { brokerPath: 'a/b/c' }],
]

describe('a change to', () => {
  test.each(loosening)('%s is refused', (_, settings, change, sentence) => {
    for (const versions of [[false], [true, false], [false, true]])
      expect(() => settledBy(known(settings, versions), change)).toThrow(
        expect.objectContaining({
          code: 'resource-guarded',
          detail: expect.stringContaining(sentence),
        }),
      )
  })

  test.each(loosening)('%s passes once every version is revoked', (_, settings, change) => {
    expect(settledBy(known(settings, [true, true]), change)).toEqual({ ...settings, ...change })
  })

  test.each(others)('%s passes', (_, settings, change) => {
    expect(settledBy(known(settings), change)).toEqual({ ...settings, ...change })
  })

  test('several at once is refused with all that it would loosen', () => {
    const strict = { ...marked, requiresSession: true }
    const change = { requiresSession: false, leaseSeconds: 600 }
    expect(() => settledBy(known(strict), change)).toThrow(
      expect.objectContaining({
        detail: expect.stringMatching(
          /^secret:db is given only inside .*; and it is leased for 300/,
        ),
      }),
    )
  })
})

test('a new one is had as it is said, and what is not said guards most', () => {
  expect(settledBy(undefined, {})).toEqual({ ...plain, releasesPerMinute: undefined })
  const said = { acceptsSimulated: true, leaseSeconds: 60 }
  expect(settledBy(undefined, said)).toMatchObject(said)
})

test.each<SettingsChange>([
  { use: 'sign' },
  { approvals: 1 },
  { leaseSeconds: 30 },
  { releasesPerMinute: 1 },
  { brokerPath: 'a/b/c' },
  { requiresSession: true },
  { acceptsSimulated: true },
])('%j is another way to be had', (change) => {
  expect(sameSettings(plain, { ...plain, ...change })).toBe(false)
  expect(sameSettings(plain, { ...plain })).toBe(true)
})
