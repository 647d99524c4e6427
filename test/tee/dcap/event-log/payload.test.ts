/** Is a payload believed exactly as far as its digest binds it? */
import { describe, expect, test } from 'vitest'
import { concat, toHex } from '../../../../src/bytes/encoding.ts'
import { decodeEventLog } from '../../../../src/tee/dcap/event-log/decode.ts'
import { type Coverage, coverage, PREIMAGES } from '../../../../src/tee/dcap/event-log/payload.ts'
import { compareRtmrs, replay } from '../../../../src/tee/dcap/event-log/replay.ts'
import {
  ascii,
  filler,
  logBytes,
  SMALL_BOOT,
  sha384,
  u32,
  utf16,
  variableBytes,
  type Written,
} from './log-bytes.ts'

const EV_IPL = 0x0d
const EV_EFI_VARIABLE_BOOT = 0x80000002
const EV_PLATFORM_CONFIG_FLAGS = 0x0a

function only(written: Written): Coverage {
  const [first] = coverage(decodeEventLog(logBytes(written)))
  if (!first) throw new Error('no event')
  return first
}

function measuredBy(found: Coverage): string {
  return found.payload === 'uncovered' ? 'nothing' : toHex(found.measured)
}

/** Every byte flipped in four ways, a byte more at either end, a byte less. */
function* edits(data: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < data.length; at++)
    for (const flip of [0x01, 0x20, 0x80, 0xff]) {
      const edited = new Uint8Array(data)
      edited[at] = (edited[at] ?? 0) ^ flip
      yield edited
    }
  yield concat(data, Uint8Array.of(0))
  yield concat(Uint8Array.of(0), data)
  if (data.length > 0) yield data.subarray(1)
  if (data.length > 0) yield data.subarray(0, -1)
}

/** The payload with its digest over `measured`, as some firmware would log it. */
const ways: readonly (readonly [
  title: string,
  written: Written,
  payload: string,
  preimage: string,
  measured: Uint8Array,
])[] = [
  [
    'the payload itself',
    { type: 0x80000001, data: variableBytes('SecureBoot', Uint8Array.of(1)) },
    'covered',
    'event-data',
    variableBytes('SecureBoot', Uint8Array.of(1)),
  ],
  ['an empty payload', { data: new Uint8Array() }, 'covered', 'event-data', new Uint8Array()],
  [
    "systemd-stub's command line in UTF-16",
    { mrIndex: 3, type: EV_IPL, data: utf16('ro quiet\0') },
    'covered',
    'event-data',
    utf16('ro quiet\0'),
  ],
  [
    'an entry of the Confidential Containers agent',
    { mrIndex: 4, type: 6, data: concat(u32(0x4141454c), u32(5), ascii('a b c')) },
    'covered',
    'event-data',
    concat(u32(0x4141454c), u32(5), ascii('a b c')),
  ],
  [
    "a boot variable's value",
    {
      type: EV_EFI_VARIABLE_BOOT,
      data: variableBytes('Boot0001', ascii('a device path')),
      digest: sha384(ascii('a device path')),
    },
    'partly-covered',
    'variable-data',
    ascii('a device path'),
  ],
  ...['grub_cmd: ', 'kernel_cmdline: ', 'module_cmdline: ', 'grub_kernel_cmdline '].map(
    (prefix) =>
      [
        `the text after "${prefix}"`,
        {
          mrIndex: 3,
          type: EV_IPL,
          data: ascii(`${prefix}ro quiet\0`),
          digest: sha384(ascii('ro quiet')),
        },
        'partly-covered',
        'grub-string',
        ascii('ro quiet'),
      ] as const,
  ),
  [
    'a command of old GRUB with its NUL',
    {
      mrIndex: 3,
      type: EV_IPL,
      data: ascii('grub_cmd boot\0'),
      digest: sha384(ascii('boot\0')),
    },
    'partly-covered',
    'grub-string-with-nul',
    ascii('boot\0'),
  ],
  [
    "systemd-stub's section name in ASCII",
    { mrIndex: 3, type: EV_IPL, data: utf16('.linux\0'), digest: sha384(ascii('.linux\0')) },
    'covered',
    'narrowed-name',
    ascii('.linux\0'),
  ],
  [
    "td-shim's configuration without its descriptor",
    {
      type: EV_PLATFORM_CONFIG_FLAGS,
      data: concat(ascii('td_payload_svn\0\0'), u32(8), filler(8, 5)),
      digest: sha384(filler(8, 5)),
    },
    'partly-covered',
    'platform-config-info',
    filler(8, 5),
  ],
]

describe('a digest over', () => {
  test.each(ways)('%s is recognised', (_, written, payload, preimage, measured) => {
    expect(only(written)).toMatchObject({ payload, preimage })
    expect(measuredBy(only(written))).toBe(toHex(measured))
  })

  test('every preimage that is known is tried above', () => {
    expect(new Set(ways.map(([, , , preimage]) => preimage))).toEqual(
      new Set(PREIMAGES.map(({ id }) => id)),
    )
  })
})

describe('an edited payload whose digest is kept', () => {
  test.each(ways)('is never covered, nor seen as measured: %s', (_, written, __, ___, measured) => {
    const data = written.data ?? new Uint8Array()
    const digest = written.digest ?? sha384(data)
    for (const edited of edits(data)) {
      const found = only({ ...written, data: edited, digest })
      expect(found.payload).not.toBe('covered')
      // A variable's name or a label may change unnoticed; the measured bytes may not.
      if (found.payload !== 'uncovered') expect(measuredBy(found)).toBe(toHex(measured))
    }
  })

  test('still replays: only coverage can notice it', () => {
    const honest = decodeEventLog(logBytes(...SMALL_BOOT))
    const forged = decodeEventLog(
      logBytes(
        ...SMALL_BOOT.map((event) => ({
          ...event,
          data: ascii('forged'),
          digest: event.digest ?? sha384(event.data ?? new Uint8Array()),
        })),
      ),
    )
    expect(compareRtmrs(replay(forged), replay(honest))).toEqual(Array(4).fill('match'))
    expect(coverage(forged).map(({ payload }) => payload)).toEqual(
      SMALL_BOOT.map(() => 'uncovered'),
    )
  })
})

describe('no payload is covered', () => {
  const text = ascii('kernel_cmdline: ro\0')
  test.each<[string, Written, string]>([
    ['by a digest of something else', { digest: sha384(ascii('a PE image')) }, 'no-preimage'],
    ['in an EV_NO_ACTION event whose digest fits', { type: 3 }, 'not-extended'],
    ['in an MRTD event whose digest fits', { mrIndex: 0 }, 'not-extended'],
    [
      "by GRUB's rule under another event type",
      { type: 5, data: text, digest: sha384(ascii('ro')) },
      'no-preimage',
    ],
    [
      'by the text after a prefix that GRUB does not write',
      { type: EV_IPL, data: ascii('kernel_cmd: ro\0'), digest: sha384(ascii('ro')) },
      'no-preimage',
    ],
    [
      'by a GRUB text without its NUL',
      { type: EV_IPL, data: ascii('grub_cmd: ro'), digest: sha384(ascii('r')) },
      'no-preimage',
    ],
    [
      "by a variable's value when the lengths leave bytes over",
      {
        type: EV_EFI_VARIABLE_BOOT,
        data: concat(variableBytes('BootOrder', ascii('v')), ascii('x')),
        digest: sha384(ascii('vx')),
      },
      'no-preimage',
    ],
    [
      "by a variable's value when the lengths overflow 64 bits",
      {
        type: EV_EFI_VARIABLE_BOOT,
        data: concat(filler(16, 1), filler(16, 0xff), ascii('v')),
        digest: sha384(ascii('v')),
      },
      'no-preimage',
    ],
    ...[
      ['beyond 8 bits', utf16('.lin\u0101x\0'), ascii('.lin\x01x\0')] as const,
      ['beyond 7 bits', utf16('.lin\xe9x\0'), ascii('.lin\xe9x\0')] as const,
      ['without its NUL', utf16('.linux'), ascii('.linux')] as const,
      ['with a NUL inside', utf16('.l\0nux\0'), ascii('.l\0nux\0')] as const,
    ].map(([text, data, narrowed]): [string, Written, string] => [
      `by the narrowed form of a text ${text}`,
      { type: EV_IPL, data, digest: sha384(narrowed) },
      'no-preimage',
    ]),
    [
      'by the narrowed form of a text that no section is named',
      { type: EV_IPL, data: utf16('.overlong\0'), digest: sha384(ascii('.overlong\0')) },
      'no-preimage',
    ],
    [
      'by a configuration whose length is wrong',
      {
        type: EV_PLATFORM_CONFIG_FLAGS,
        data: concat(filler(16, 0), u32(9), filler(8, 5)),
        digest: sha384(filler(8, 5)),
      },
      'no-preimage',
    ],
  ])('%s', (_, written, because) => {
    expect(only(written)).toMatchObject({ payload: 'uncovered', because })
  })
})

test('coverage has one entry for each event, in the order of the log', () => {
  const log = decodeEventLog(logBytes(...SMALL_BOOT))
  expect(coverage(log).map(({ event }) => event)).toEqual(log.events)
})
