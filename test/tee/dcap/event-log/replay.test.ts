/** Does replay follow the registers, and does a comparison never call a register verified that the log does not explain? */
import { describe, expect, test } from 'vitest'
import { concat } from '../../../../src/bytes/encoding.ts'
import { decodeEventLog } from '../../../../src/tee/dcap/event-log/decode.ts'
import { compareRtmrs, type Rtmrs, replay } from '../../../../src/tee/dcap/event-log/replay.ts'
import {
  ascii,
  eventBytes,
  filler,
  headerBytes,
  logBytes,
  SMALL_BOOT,
  sha384,
  specIdBytes,
  u16,
  u32,
  type Written,
} from './log-bytes.ts'

const ZERO = new Uint8Array(48)
const replayed = (...events: readonly Written[]) => replay(decodeEventLog(logBytes(...events)))
const extended = (...data: readonly Uint8Array[]) =>
  data.reduce<Uint8Array>((rtmr, each) => new Uint8Array(sha384(concat(rtmr, sha384(each)))), ZERO)

describe('replay', () => {
  test('leaves four zero registers when the log has no events', () => {
    expect(replayed()).toEqual([ZERO, ZERO, ZERO, ZERO])
  })

  test.each([
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 3],
  ])('extends index %i into RTMR%i alone', (mrIndex, register) => {
    const expected: Uint8Array[] = [ZERO, ZERO, ZERO, ZERO]
    expected[register] = extended(ascii('x'))
    expect(replayed({ mrIndex, data: ascii('x') })).toEqual(expected)
  })

  test('extends one event onto another', () => {
    const [rtmr0] = replayed({ data: ascii('x') }, { data: ascii('y') })
    expect(rtmr0).toEqual(extended(ascii('x'), ascii('y')))
  })

  test('does not extend index 0, which is MRTD', () => {
    expect(replayed({ mrIndex: 0 })).toEqual([ZERO, ZERO, ZERO, ZERO])
  })

  test.each([0, 1, 4, 0xffffffff])(
    'does not extend EV_NO_ACTION under index %i, even with a digest',
    (mrIndex) => {
      expect(replayed({ mrIndex, type: 3 })).toEqual([ZERO, ZERO, ZERO, ZERO])
    },
  )

  test('extends the SHA-384 digest when the log carries others before it', () => {
    const specId = specIdBytes({
      sizes: [
        [0x000b, 32],
        [0x000c, 48],
      ],
    })
    const digests = concat(u32(2), u16(11), filler(32, 2), u16(12), sha384(ascii('x')))
    const [rtmr0] = replay(decodeEventLog(concat(headerBytes({ specId }), eventBytes({ digests }))))
    expect(rtmr0).toEqual(extended(ascii('x')))
  })

  test('gives each caller registers of its own', () => {
    replayed()[0].fill(9)
    expect(replayed()[0]).toEqual(ZERO)
  })
})

describe('a comparison with the quote', () => {
  const log = replayed({ mrIndex: 1 }, { mrIndex: 2, data: ascii('x') })
  const other = filler(48, 9)

  test.each<[string, Rtmrs, readonly string[]]>([
    ['all registers equal', log, ['match', 'match', 'match', 'match']],
    [
      'a register that differs',
      [log[0], other, ZERO, ZERO],
      ['match', 'mismatch', 'match', 'match'],
    ],
    [
      'a quoted register without any event',
      [log[0], log[1], ZERO, other],
      ['match', 'match', 'match', 'unreplayed'],
    ],
    [
      'events for a register that the quote says was never extended',
      [ZERO, log[1], ZERO, ZERO],
      ['mismatch', 'match', 'match', 'match'],
    ],
    [
      'a register of another length',
      [log[0].subarray(0, 47), log[1], ZERO, ZERO],
      ['mismatch', 'match', 'match', 'match'],
    ],
    [
      'registers in another order',
      [log[1], log[0], ZERO, ZERO],
      ['mismatch', 'mismatch', 'match', 'match'],
    ],
  ])('tells %s', (_, quoted, expected) => {
    expect(compareRtmrs(log, quoted)).toEqual(expected)
  })

  test('verifies nothing by a log without events', () => {
    const quoted: Rtmrs = [other, other, other, other]
    expect(compareRtmrs(replayed(), quoted)).toEqual(Array(4).fill('unreplayed'))
  })

  test('verifies nothing by a log in which every event was turned into EV_NO_ACTION', () => {
    const boot = SMALL_BOOT.filter(({ type }) => type !== 3)
    const muted = boot.map((event) => ({ ...event, type: 3 }))
    expect(compareRtmrs(replayed(...muted), replayed(...boot))).toEqual(Array(4).fill('unreplayed'))
  })
})
