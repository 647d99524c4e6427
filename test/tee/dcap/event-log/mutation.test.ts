/** Is there a byte of a digest, an event or an order of events that can be changed without a register noticing? */
import { describe, expect, test } from 'vitest'
import { concat, sameBytes, toHex } from '../../../../src/bytes/encoding.ts'
import { Malformed } from '../../../../src/bytes/malformed.ts'
import { decodeEventLog, type LoggedEvent } from '../../../../src/tee/dcap/event-log/decode.ts'
import { coverage } from '../../../../src/tee/dcap/event-log/payload.ts'
import { extendedRtmr, replay } from '../../../../src/tee/dcap/event-log/replay.ts'
import { logBytes, SMALL_BOOT } from './log-bytes.ts'
import { absent, RECORDED, recorded, skipNote } from './recorded-logs.ts'

const logs: readonly (readonly [string, () => Uint8Array])[] = [
  ['a small boot', () => logBytes(...SMALL_BOOT)],
  ...(absent
    ? []
    : Object.entries(RECORDED).map(([name, path]) => [name, () => recorded(path)] as const)),
]

const registers = (bytes: Uint8Array) => replay(decodeEventLog(bytes)).map(toHex).join()

/** A log cut into its head and its events, which can be put together again in any other way. */
function pieces(area: Uint8Array) {
  const { events, size } = decodeEventLog(area)
  const bytes = area.slice(0, size)
  const ends = [...events.slice(1).map(({ offset }) => offset), size]
  const spans = events.map(({ offset }, i) => bytes.subarray(offset, ends[i]))
  return { bytes, events, spans, head: bytes.subarray(0, events[0]?.offset) }
}

/** Within an event of one SHA-384 digest: index 4, type 4, count 4, algorithm 2; then the digest and the payload's length. */
const DIGEST_AT = 14
const DATA_AT = DIGEST_AT + 48 + 4

const isExtended = (event: LoggedEvent) => extendedRtmr(event) !== undefined

describe.each(logs)(`in %s${skipNote}`, (_, read) => {
  const { bytes, events, spans, head } = pieces(read())
  const honest = registers(bytes)
  const rebuilt = (order: readonly Uint8Array[]) => registers(concat(head, ...order))

  test('the parts make the whole', () => {
    expect(rebuilt(spans)).toBe(honest)
  })

  test('every byte of every extended digest counts', () => {
    const unnoticed: number[] = []
    for (const event of events.filter(isExtended)) {
      for (let at = event.offset + DIGEST_AT; at < event.offset + DATA_AT - 4; at++) {
        const flipped = bytes.slice()
        flipped[at] = (flipped[at] ?? 0) ^ 0x10
        if (registers(flipped) === honest) unnoticed.push(at)
      }
    }
    expect(unnoticed).toEqual([])
  })

  test('no extended event can be dropped', () => {
    const unnoticed = events.filter(
      (event, i) => isExtended(event) && rebuilt(spans.toSpliced(i, 1)) === honest,
    )
    expect(unnoticed).toEqual([])
  })

  test('no extended event can be repeated', () => {
    const unnoticed = events.filter(
      (event, i) => isExtended(event) && rebuilt(doubled(spans, i)) === honest,
    )
    expect(unnoticed).toEqual([])
  })

  test('no extended event can be turned into EV_NO_ACTION', () => {
    const unnoticed = events.filter((event) => {
      const muted = bytes.slice()
      muted.set([3, 0, 0, 0], event.offset + 4)
      return isExtended(event) && registers(muted) === honest
    })
    expect(unnoticed).toEqual([])
  })

  test('no extended event can be moved to another register', () => {
    const unnoticed = events.filter((event) => {
      const moved = bytes.slice()
      moved[event.offset] = (event.mrIndex % 4) + 1
      return isExtended(event) && registers(moved) === honest
    })
    expect(unnoticed).toEqual([])
  })

  test('two events of one register change places unnoticed only when their digests are equal', () => {
    for (const [i, j] of neighbours(events)) {
      const same = sameBytes(events[i]?.sha384 ?? bytes, events[j]?.sha384 ?? bytes)
      expect(rebuilt(swapped(spans, i, j)) === honest).toBe(same)
    }
  })

  test('the log can end early only with a refusal or other registers', () => {
    const lastExtended = events.findLast(isExtended)?.offset ?? 0
    for (let size = 0; size <= lastExtended; size += 7)
      expect(registersOrRefusal(bytes.subarray(0, size))).not.toBe(honest)
  })

  test('an altered payload is never covered', () => {
    const before = coverage(decodeEventLog(bytes))
    for (const [i, event] of events.entries()) {
      if (event.data.length === 0) continue
      const edited = bytes.slice()
      const last = event.offset + DATA_AT + event.data.length - 1
      edited[last] = (edited[last] ?? 0) ^ 0x10
      // The last byte of a payload is measured, or the NUL that ends what is measured.
      expect(coverage(decodeEventLog(edited))[i]?.payload).toBe('uncovered')
      expect(
        coverage(decodeEventLog(edited))
          .toSpliced(i, 1)
          .map(({ payload }) => payload),
      ).toEqual(before.toSpliced(i, 1).map(({ payload }) => payload))
    }
  })
})

test('the order of events of different registers is bound by nothing', () => {
  const [one, two] = [{ mrIndex: 1 }, { mrIndex: 2 }]
  expect(registers(logBytes(one, two))).toBe(registers(logBytes(two, one)))
})

function doubled(spans: readonly Uint8Array[], i: number): readonly Uint8Array[] {
  return [...spans.slice(0, i + 1), ...spans.slice(i)]
}

function swapped(spans: readonly Uint8Array[], i: number, j: number): readonly Uint8Array[] {
  const [a, b] = [spans[i], spans[j]]
  return a && b ? spans.with(i, b).with(j, a) : spans
}

/** Indices of each two events that follow one another in one register. */
function neighbours(events: readonly LoggedEvent[]): readonly (readonly [number, number])[] {
  return [0, 1, 2, 3].flatMap((register) => {
    const own = [...events.keys()].filter((i) => {
      const event = events[i]
      return event !== undefined && extendedRtmr(event) === register
    })
    return own.slice(1).map((j, n) => [own[n] ?? j, j] as const)
  })
}

function registersOrRefusal(bytes: Uint8Array): string {
  try {
    return registers(bytes)
  } catch (error) {
    if (error instanceof Malformed) return 'refused'
    throw error
  }
}
