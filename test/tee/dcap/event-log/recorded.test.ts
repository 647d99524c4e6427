/** Do the event logs of real machines decode, replay and explain themselves as others measured them to? */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { toHex } from '../../../../src/bytes/encoding.ts'
import { decodeEventLog, type EventLog } from '../../../../src/tee/dcap/event-log/decode.ts'
import { eventTypeName } from '../../../../src/tee/dcap/event-log/event-types.ts'
import { coverage } from '../../../../src/tee/dcap/event-log/payload.ts'
import { compareRtmrs, type Rtmrs, replay } from '../../../../src/tee/dcap/event-log/replay.ts'
import { absent, COS113_QUOTE, RECORDED, recorded, rtmrsOf, skipNote } from './recorded-logs.ts'

describe.skipIf(absent)(`recorded event logs${skipNote}`, () => {
  const decoded = (name: keyof typeof RECORDED) => decodeEventLog(recorded(RECORDED[name]))

  describe("Google's Container-Optimized OS 113", () => {
    test('replays to all four registers of the quote that was taken with it', () => {
      const quoted = rtmrsOf(recorded(COS113_QUOTE))
      expect(compareRtmrs(replay(decoded('cos113')), quoted)).toEqual(Array(4).fill('match'))
    })

    test('leaves an RTMR3 unreplayed that was extended without an event', () => {
      const [rtmr0, rtmr1, rtmr2] = rtmrsOf(recorded(COS113_QUOTE))
      const quoted: Rtmrs = [rtmr0, rtmr1, rtmr2, new Uint8Array(48).fill(1)]
      expect(compareRtmrs(replay(decoded('cos113')), quoted)[3]).toBe('unreplayed')
    })

    test('does not match the registers of another machine', () => {
      const quoted = rtmrsOf(recorded(COS113_QUOTE))
      expect(compareRtmrs(replay(decoded('grub')), quoted).slice(0, 3)).toEqual(
        Array(3).fill('mismatch'),
      )
    })

    test("shows the kernel's command line, bound to RTMR2 but for its label", () => {
      const line = coverage(decoded('cos113')).find(({ event }) =>
        text(event.data).startsWith('kernel_cmdline: '),
      )
      if (line?.payload !== 'partly-covered') throw new Error(`${line?.payload}`)
      expect(line.event.mrIndex).toBe(3)
      expect(text(line.measured)).toMatch(/^\/syslinux\/vmlinuz\.A init=.*[^\0]$/)
    })
  })

  test.each([
    ['cos113', 0x46b5, 43],
    ['grub', 0x3b1a, 37],
    ['ovmf', 0x848, 20],
    ['dstack', 0x78d, 18],
  ] as const)('%s ends at its padding', (name, size, count) => {
    const log = decoded(name)
    expect([log.size, log.events.length]).toEqual([size, count])
  })

  // Computed once with a parser of another make (Python), on the same files.
  test.each([
    ['grub', ['cec0a104f691f60d', '6c289e0c62182d41', '08919d017ba0e52c', '0000000000000000']],
    ['ovmf', ['8566f998798db094', '775b9f6bfe99f8a3', '94eaf7a7bf398ed8', '0000000000000000']],
    ['dstack', ['274c2344116db7c6', 'bdcf4ee0f7fdfe7c', '0000000000000000', '0000000000000000']],
  ] as const)('%s replays to the registers that another parser found', (name, expected) => {
    const heads = replay(decoded(name)).map((rtmr) => toHex(rtmr.subarray(0, 8)))
    expect(heads).toEqual(expected)
  })

  test.each(['grub', 'ovmf'] as const)('%s decodes as the parser of trustee decoded it', (name) => {
    const expected = TrusteeLog.parse(JSON.parse(readText(`${RECORDED[name]}_out.json`)))
    expect(asTrusteeTells(decoded(name))).toEqual(expected.uefi_event_logs)
  })

  test.each([
    ['cos113', [...FIRMWARE, 'EV_EFI_BOOT_SERVICES_APPLICATION', 'EV_IPL']],
    ['grub', [...FIRMWARE, 'EV_EFI_BOOT_SERVICES_APPLICATION', 'EV_EVENT_TAG', 'EV_IPL']],
    ['ovmf', [...FIRMWARE, 'EV_EFI_BOOT_SERVICES_APPLICATION', 'EV_EVENT_TAG']],
    ['dstack', [...FIRMWARE, 'EV_EFI_BOOT_SERVICES_APPLICATION']],
  ] as const)('%s leaves uncovered what was hashed outside the log', (name, types) => {
    const uncovered = coverage(decoded(name)).filter(({ payload }) => payload === 'uncovered')
    const found = new Set(uncovered.map(({ event }) => eventTypeName(event.type)))
    expect([...found].sort()).toEqual([...types].sort())
  })

  test('cos113 leaves of GRUB and shim only names uncovered: of files and of key lists', () => {
    const names = coverage(decoded('cos113'))
      .filter(({ event, payload }) => event.type === 0x0d && payload === 'uncovered')
      .map(({ event }) => text(event.data))
    expect(names).toEqual([
      'MokList\0',
      'MokListX\0',
      'MokListTrusted\0',
      '/efi/boot/grub.cfg\0',
      '/syslinux/vmlinuz.A\0',
    ])
  })
})

/** The TD HOB, the firmware volume and the ACPI tables: their digests stand in the log, they do not. */
const FIRMWARE = [
  'EV_EFI_HANDOFF_TABLES2',
  'EV_EFI_PLATFORM_FIRMWARE_BLOB2',
  'EV_PLATFORM_CONFIG_FLAGS',
]

const TrusteeLog = z.object({
  uefi_event_logs: z.array(
    z.object({
      index: z.number(),
      type_name: z.string(),
      digests: z.array(z.object({ alg: z.literal('SHA-384'), digest: z.string() })),
      event: z.string(),
      digest_matches_event: z.boolean(),
    }),
  ),
})

function asTrusteeTells(log: EventLog): unknown {
  return coverage(log).map(({ event, ...found }) => ({
    index: event.mrIndex,
    type_name: eventTypeName(event.type),
    digests: [{ alg: 'SHA-384', digest: toHex(event.sha384) }],
    event: Buffer.from(event.data).toString('base64'),
    digest_matches_event: found.payload === 'covered',
  }))
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function readText(path: string): string {
  return Buffer.from(recorded(path)).toString('utf8')
}
