/** Is an event log decoded for what it is, and refused when it is anything else? */
import { describe, expect, test } from 'vitest'
import { concat } from '../../../../src/bytes/encoding.ts'
import { Malformed } from '../../../../src/bytes/malformed.ts'
import { decodeEventLog, MAX_LOG_BYTES } from '../../../../src/tee/dcap/event-log/decode.ts'
import { eventTypeName } from '../../../../src/tee/dcap/event-log/event-types.ts'
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
} from './log-bytes.ts'

const sha256AndSha384 = specIdBytes({
  sizes: [
    [0x000b, 32],
    [0x000c, 48],
  ],
})

describe('an event log that firmware writes', () => {
  test('tells register, type, digest and payload of an event', () => {
    const [event] = decodeEventLog(logBytes({ mrIndex: 2, type: 7, data: ascii('ab') })).events
    expect(event).toMatchObject({ mrIndex: 2, type: 7 })
    expect(event?.sha384).toEqual(new Uint8Array(sha384(ascii('ab'))))
    expect(event?.data).toEqual(new Uint8Array(ascii('ab')))
  })

  test('gives payloads as views, not copies', () => {
    const bytes = logBytes({ data: ascii('view') })
    const [event] = decodeEventLog(bytes).events
    expect(event?.data.buffer).toBe(bytes.buffer)
  })

  test('tells where each event starts', () => {
    const bytes = logBytes({}, {})
    const head = headerBytes().length
    const offsets = decodeEventLog(bytes).events.map(({ offset }) => offset)
    expect(offsets).toEqual([head, head + eventBytes().length])
  })

  test('tells the algorithms and sizes of its Spec ID event', () => {
    const { specId } = decodeEventLog(headerBytes({ specId: sha256AndSha384 }))
    expect([...specId.digestSizes]).toEqual([
      [0x000b, 32],
      [0x000c, 48],
    ])
  })

  test('tells the vendor information of its Spec ID event', () => {
    const specId = specIdBytes({ vendorInfo: ascii('td-shim') })
    expect(decodeEventLog(headerBytes({ specId })).specId.vendorInfo).toEqual(
      new Uint8Array(ascii('td-shim')),
    )
  })

  test('may carry one digest of each declared algorithm, in any order', () => {
    const digests = concat(u32(2), u16(12), filler(48, 3), u16(11), filler(32, 2))
    const bytes = concat(headerBytes({ specId: sha256AndSha384 }), eventBytes({ digests }))
    const [event] = decodeEventLog(bytes).events
    expect(event?.digests.get(0x000b)).toEqual(filler(32, 2))
    expect(event?.sha384).toEqual(filler(48, 3))
  })

  test('may hold nothing but its Spec ID event', () => {
    expect(decodeEventLog(headerBytes()).events).toEqual([])
  })

  test('may hold several EV_NO_ACTION events, also under an index that names no register', () => {
    const notes = decodeEventLog(logBytes(...SMALL_BOOT)).events.filter(({ type }) => type === 3)
    expect(notes.map(({ mrIndex }) => mrIndex)).toEqual([0, 0xffffffff])
  })

  test('may hold an event type that no specification assigns', () => {
    const [event] = decodeEventLog(logBytes({ type: 0x80000fff })).events
    expect(eventTypeName(event?.type ?? 0)).toBe('0x80000fff')
  })

  test.each([
    ['nothing', new Uint8Array()],
    ['zero bytes', filler(100, 0)],
    ['0xff bytes', filler(100, 0xff)],
    ['one 0xff byte', filler(1, 0xff)],
  ])('may be followed by %s', (_, padding) => {
    const bytes = logBytes(...SMALL_BOOT)
    expect(decodeEventLog(concat(bytes, padding))).toMatchObject({ size: bytes.length })
  })
})

const head = headerBytes()
const oneDigest = concat(u16(12), filler(48, 1))

describe('the decoder refuses', () => {
  test.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(), 'CCEL.header'],
    ['an area that was never written', filler(65536, 0xff), 'CCEL.header.digest'],
    ['a log that begins with an ordinary event', eventBytes(), 'CCEL.header'],
    ['a first event of another type', headerBytes({ type: 4 }), 'CCEL.header.eventType'],
    ['a first event with a digest', headerBytes({ digest: filler(20, 1) }), 'CCEL.header.digest'],
    ['a first event longer than the log', headerBytes({ eventSize: 0xffffffff }), 'CCEL.specId'],
    [
      'a Spec ID event of TPM 1.2',
      headerBytes({ specId: specIdBytes({ signature: 'Spec ID Event02\0' }) }),
      'CCEL.specId.signature',
    ],
    [
      'the header without a signature that the Confidential Containers agent writes when there is no CCEL',
      headerBytes({ specId: specIdBytes({ signature: '\0'.repeat(16), major: 0 }) }),
      'CCEL.specId.signature',
    ],
    [
      'a Spec ID event of another version',
      headerBytes({ specId: specIdBytes({ major: 3 }) }),
      'CCEL.specId.specVersion',
    ],
    [
      'a Spec ID event without algorithms',
      headerBytes({ specId: specIdBytes({ sizes: [] }) }),
      'CCEL.specId.numberOfAlgorithms',
    ],
    [
      'a Spec ID event of 2^32-1 algorithms',
      headerBytes({ specId: specIdBytes({ count: 0xffffffff }) }),
      'CCEL.specId.numberOfAlgorithms',
    ],
    [
      'an algorithm that is no hash of the registry',
      headerBytes({ specId: specIdBytes({ sizes: [[0x0001, 48]] }) }),
      'CCEL.specId.digestSizes',
    ],
    [
      'SHA-384 with another size',
      headerBytes({ specId: specIdBytes({ sizes: [[0x000c, 0xffff]] }) }),
      'CCEL.specId.digestSizes',
    ],
    [
      'an algorithm declared twice',
      headerBytes({
        specId: specIdBytes({
          sizes: [
            [0x000c, 48],
            [0x000c, 48],
          ],
        }),
      }),
      'CCEL.specId.digestSizes',
    ],
    [
      'bytes after the vendor information',
      headerBytes({ specId: concat(specIdBytes({}), Uint8Array.of(0)) }),
      'CCEL.specId',
    ],
    ['a Spec ID event twice, in its old frame', concat(head, head), 'CCEL.event.digests'],
    [
      'a Spec ID event twice, in the new frame',
      concat(head, eventBytes({ type: 3, data: specIdBytes({}) })),
      'CCEL.event',
    ],
    [
      'a Spec ID event after an ordinary event',
      concat(head, eventBytes(), eventBytes({ type: 3, data: specIdBytes({}) })),
      'CCEL.event',
    ],
    [
      'an extended event under index 5',
      concat(head, eventBytes({ mrIndex: 5 })),
      'CCEL.event.mrIndex',
    ],
    [
      'an extended event under index -1',
      concat(head, eventBytes({ mrIndex: 0xffffffff })),
      'CCEL.event.mrIndex',
    ],
    [
      'an EV_NO_ACTION event under index 5',
      concat(head, eventBytes({ mrIndex: 5, type: 3 })),
      'CCEL.event.mrIndex',
    ],
    [
      'an event without digests',
      concat(head, eventBytes({ digests: u32(0) })),
      'CCEL.event.digests',
    ],
    [
      'an event of 2^31 digests',
      concat(head, eventBytes({ digests: concat(u32(0x80000000), oneDigest) })),
      'CCEL.event.digests',
    ],
    [
      'an event of two digests under one declared algorithm',
      concat(head, eventBytes({ digests: concat(u32(2), oneDigest, oneDigest) })),
      'CCEL.event.digests',
    ],
    [
      'a digest of an undeclared algorithm',
      concat(head, eventBytes({ digests: concat(u32(1), u16(11), filler(32, 1)) })),
      'CCEL.event.digests',
    ],
    [
      'an event that lacks a declared algorithm',
      concat(
        headerBytes({ specId: sha256AndSha384 }),
        eventBytes({ digests: concat(u32(1), oneDigest) }),
      ),
      'CCEL.event.digests',
    ],
    [
      'the same algorithm twice in one event',
      concat(
        headerBytes({ specId: sha256AndSha384 }),
        eventBytes({ digests: concat(u32(2), oneDigest, oneDigest, u16(11), filler(32, 1)) }),
      ),
      'CCEL.event.digests',
    ],
    [
      'an event without a SHA-384 digest',
      concat(
        headerBytes({ specId: specIdBytes({ sizes: [[0x000b, 32]] }) }),
        eventBytes({ digests: concat(u32(1), u16(11), filler(32, 1)) }),
      ),
      'CCEL.event.digests',
    ],
    [
      'a payload of 2^32-1 bytes',
      concat(head, eventBytes({ eventSize: 0xffffffff })),
      'CCEL.event.event',
    ],
    ['half an event', logBytes({}).subarray(0, -5), 'CCEL.event.event'],
    ['padding of two kinds', concat(logBytes({}), filler(8, 0), filler(8, 0xff)), 'CCEL.event'],
    ['bytes after the padding', concat(logBytes({}), filler(80, 0xff), ascii('x')), 'CCEL.event'],
    ['a log larger than our limit', concat(head, filler(MAX_LOG_BYTES, 0xff)), 'CCEL'],
  ])('%s', (_, bytes, path) => {
    expect(refusal(bytes).path.startsWith(path)).toBe(true)
  })

  test('2^31 digests by their count, before it reads one', () => {
    const digests = concat(u32(0x80000000), oneDigest)
    expect(refusal(concat(head, eventBytes({ digests })))).toMatchObject({
      offset: head.length + 8,
      observed: '2147483648 digests',
    })
  })
})

function refusal(bytes: Uint8Array): Malformed {
  try {
    decodeEventLog(bytes)
  } catch (error) {
    if (error instanceof Malformed) return error
    throw error
  }
  throw new Error('decoded')
}
