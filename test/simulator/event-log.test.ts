/** Do simulated event logs decode, and replay into the registers that they are said to extend? */
import { expect, test } from 'vitest'
import { eventLog, type LogEntry, rtmrsOf, specIdEntry } from '../../enclave/simulator/event-log.ts'
import { decodeEventLog } from '../../src/tee/dcap/event-log/decode.ts'
import { compareRtmrs, replay } from '../../src/tee/dcap/event-log/replay.ts'

const entries: readonly LogEntry[] = [
  { mrIndex: 1, type: 0x04, data: new Uint8Array(4) },
  { mrIndex: 3, type: 0x0d, data: new Uint8Array([1]), digest: new Uint8Array(48).fill(9) },
  { mrIndex: 3, type: 0x0d, data: new Uint8Array(0) },
  { mrIndex: 4, type: 0x03, data: new Uint8Array(3) },
]
const { rtmr0, rtmr1, rtmr2, rtmr3 } = rtmrsOf(entries)

test('a log decodes to its entries and replays into its registers', () => {
  const log = decodeEventLog(eventLog(entries))
  expect(log.events.map(({ mrIndex, type, data }) => ({ mrIndex, type, data }))).toEqual(
    entries.map(({ mrIndex, type, data }) => ({ mrIndex, type, data })),
  )
  const all = ['match', 'match', 'match', 'match']
  expect(compareRtmrs(replay(log), [rtmr0, rtmr1, rtmr2, rtmr3])).toEqual(all)
})

test('registers without an event stay zero, EV_NO_ACTION extends none', () => {
  expect(rtmr1).toEqual(new Uint8Array(48))
  expect(rtmr3).toEqual(new Uint8Array(48))
  expect(rtmr2).not.toEqual(new Uint8Array(48))
})

test.each([
  ['a second head', [...entries, specIdEntry], 'another Spec ID event'],
  ['too many digests', [{ ...specIdEntry, mrIndex: 1, type: 4, digestCount: 2 ** 31 }], 'digests'],
])('a log can have %s', (_, odd, says) => expect(() => decodeEventLog(eventLog(odd))).toThrow(says))
