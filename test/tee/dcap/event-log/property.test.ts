/** Does any input make the decoder throw something else than Malformed, break a promise of its types, or take long? */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat } from '../../../../src/bytes/encoding.ts'
import { Malformed } from '../../../../src/bytes/malformed.ts'
import {
  decodeEventLog,
  MAX_EVENTS,
  MAX_LOG_BYTES,
} from '../../../../src/tee/dcap/event-log/decode.ts'
import { coverage } from '../../../../src/tee/dcap/event-log/payload.ts'
import { compareRtmrs, extendedRtmr, replay } from '../../../../src/tee/dcap/event-log/replay.ts'
import {
  ascii,
  eventBytes,
  filler,
  headerBytes,
  logBytes,
  SMALL_BOOT,
  sha384,
  u32,
  variableBytes,
} from './log-bytes.ts'
import { absent, RECORDED, recorded, skipNote } from './recorded-logs.ts'

const BUDGET_MS = 50

/** Everything that is done to a log that a stranger sends. */
function judge(bytes: Uint8Array): 'judged' | 'refused' {
  try {
    const log = decodeEventLog(bytes)
    const found = coverage(log)
    const rtmrs = replay(log)
    expect(found.length).toBe(log.events.length)
    expect(rtmrs.map(({ length }) => length)).toEqual([48, 48, 48, 48])
    for (const each of found) {
      if (each.payload === 'uncovered') continue
      if (extendedRtmr(each.event) === undefined) throw new Error('covered, yet never extended')
      if (!sha384(each.measured).equals(each.event.sha384)) throw new Error('covered by nothing')
    }
    compareRtmrs(rtmrs, [bytes, bytes, bytes, bytes])
    return 'judged'
  } catch (error) {
    if (error instanceof Malformed) return 'refused'
    throw error
  }
}

/** The best of five: the machine may be busy with something else, five times in a row it is us. */
function milliseconds(bytes: Uint8Array): number {
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < 5 && best > BUDGET_MS; run++) {
    const start = performance.now()
    try {
      const log = decodeEventLog(bytes)
      replay(log)
      coverage(log)
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
    }
    best = Math.min(best, performance.now() - start)
  }
  return best
}

const seeds = [
  logBytes(...SMALL_BOOT),
  ...(absent ? [] : Object.values(RECORDED).map((path) => recorded(path).slice(0, 0x5000))),
]

/** Bytes and lengths as an attacker would set them: at the edges. */
const edges = fc.constantFrom(0, 1, 0x7f, 0xff, 0x7fffffff, 0x80000000, 0xffffffff)
const edit = fc.oneof(
  fc.record({
    kind: fc.constant('flip' as const),
    at: fc.nat(),
    by: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({ kind: fc.constant('word' as const), at: fc.nat(), by: edges }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), by: fc.nat(200) }),
  fc.record({ kind: fc.constant('copy' as const), at: fc.nat(), by: fc.nat(200) }),
  fc.record({ kind: fc.constant('end' as const), at: fc.nat(), by: fc.nat() }),
)
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never

function edited(bytes: Uint8Array, { kind, at, by }: Edit): Uint8Array {
  const where = bytes.length === 0 ? 0 : at % bytes.length
  const rest = bytes.subarray(where)
  switch (kind) {
    case 'flip':
      return bytes.map((byte, i) => (i === where ? byte ^ by : byte))
    case 'word':
      return concat(bytes.subarray(0, where), u32(by), rest.subarray(4))
    case 'cut':
      return concat(bytes.subarray(0, where), rest.subarray(by))
    case 'copy':
      return concat(bytes.subarray(0, where), rest.subarray(0, by), rest)
    case 'end':
      return bytes.subarray(0, where)
  }
}

const mutated = fc
  .tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 4 }))
  .map(([seed, edits]) => edits.reduce(edited, seed))
const afterHead = fc.uint8Array({ maxLength: 4096 }).map((tail) => concat(headerBytes(), tail))

describe(`a log from a stranger${skipNote}`, () => {
  test.each([
    ['of random bytes', fc.uint8Array({ maxLength: 4096 }), 500],
    ['of random bytes after a right head', afterHead, 500],
    ['that was altered', mutated, 1500],
  ])('%s is judged or refused as Malformed, within 50 ms', (_, logs, numRuns) => {
    fc.assert(
      fc.property(logs, (bytes) => {
        judge(bytes)
        expect(milliseconds(bytes)).toBeLessThan(BUDGET_MS)
      }),
      { numRuns },
    )
  })

  test('that was altered is sometimes judged and sometimes refused', () => {
    const verdicts = new Set(fc.sample(mutated, 200).map(judge))
    expect(verdicts).toEqual(new Set(['judged', 'refused']))
  })
})

const digest = filler(48, 1)
/** As many of these events as the limits allow. */
function full(event: Uint8Array): Uint8Array {
  const head = headerBytes()
  const count = Math.min(MAX_EVENTS, Math.floor((MAX_LOG_BYTES - head.length) / event.length))
  return concat(head, ...Array<Uint8Array>(count).fill(event))
}

describe('a log as full as it may be', () => {
  const ipl = (data: Uint8Array) => eventBytes({ mrIndex: 3, type: 0x0d, data, digest })
  const large = (size: number) => concat(ascii('grub_cmd: '), filler(size, 1), filler(1, 0))
  test.each([
    ['of the smallest events', full(eventBytes({ data: new Uint8Array(), digest }))],
    ['of GRUB commands', full(ipl(large(1)))],
    ['of GRUB commands of 200 bytes', full(ipl(large(200 - 11)))],
    ['of one GRUB command', full(ipl(large(MAX_LOG_BYTES - 200)))],
    [
      'of boot variables',
      full(eventBytes({ type: 0x80000002, data: variableBytes('', new Uint8Array()), digest })),
    ],
    ['of EV_NO_ACTION', full(eventBytes({ type: 3, data: new Uint8Array(), digest }))],
    ['of padding', concat(headerBytes(), filler(MAX_LOG_BYTES - headerBytes().length, 0xff))],
  ])('%s is judged within 50 ms', (_, bytes) => {
    expect(judge(bytes)).toBe('judged')
    expect(milliseconds(bytes)).toBeLessThan(BUDGET_MS)
  })

  test('is refused with one event more', () => {
    const smallest = eventBytes({ data: new Uint8Array() })
    expect(judge(concat(full(smallest), smallest))).toBe('refused')
  })
})
