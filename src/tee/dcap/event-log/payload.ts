/**
 * Which payloads are bound by their digest? Replay ties digests to the quote and payloads to nothing: a log whose RTMRs
 * match may still show forged payloads. So each payload is hashed again, in every way in which firmware, boot loader or
 * agent is known to have measured it; a payload that nothing explains is a claim and no more.
 *
 * Coverage means something only for registers where `compareRtmrs` says `match`. Even then the event type is not bound,
 * and a guest's kernel may at any time extend any register with the digest of any bytes, such as a UEFI variable that says
 * SecureBoot = 1. Who measured a payload is told by its place alone: its register, and the events before it there.
 */
import { hash } from 'node:crypto'
import { sameBytes } from '../../../bytes/encoding.ts'
import type { EventLog, LoggedEvent } from './decode.ts'
import { EV_EFI_VARIABLE_BOOT, EV_IPL, EV_PLATFORM_CONFIG_FLAGS } from './event-types.ts'
import { extendedRtmr } from './replay.ts'

/**
 * `covered`: the digest fixes every byte of the payload. `partly-covered`: it fixes `measured`, and whatever else the
 * payload shows (a variable's name, `kernel_cmdline: `) is a claim. `uncovered`: it fixes nothing of it.
 */
export type Coverage =
  | {
      readonly event: LoggedEvent
      readonly payload: 'covered' | 'partly-covered'
      readonly preimage: PreimageId
      /** The bytes that were hashed, and the only ones to act upon. */
      readonly measured: Uint8Array
    }
  | {
      readonly event: LoggedEvent
      readonly payload: 'uncovered'
      /** `not-extended`: EV_NO_ACTION and MRTD events, whatever their digest. `no-preimage`: the digest is of something outside the log, or the payload was altered. */
      readonly because: 'not-extended' | 'no-preimage'
    }

interface Preimage {
  readonly id: string
  /** `undefined` stands for every type. */
  readonly type: number | undefined
  readonly binds: 'covered' | 'partly-covered'
  readonly cites: string
  /** The bytes that this writer hashes for this payload; `undefined` when the payload is not of its form. */
  readonly of: (data: Uint8Array) => Uint8Array | undefined
}

/** Tried in this order; the first that yields the digest wins. Whatever is missing here is uncovered, never trusted. */
export const PREIMAGES = [
  {
    id: 'event-data',
    type: undefined,
    binds: 'covered',
    cites:
      'PFP 1.05 section 10.4.1: EV_SEPARATOR, EV_EFI_ACTION, EV_EFI_GPT_EVENT, EV_EFI_VARIABLE_DRIVER_CONFIG, EV_EFI_VARIABLE_AUTHORITY, EV_EFI_VARIABLE_BOOT2. EV_IPL: systemd-stub src/boot/measure.c tpm_log_load_options (UTF-16 with its NUL). EV_EVENT_TAG: Confidential Containers attestation-agent eventlog/tcg2.rs (tag AAEL).',
    of: (data) => data,
  },
  {
    id: 'variable-data',
    type: EV_EFI_VARIABLE_BOOT,
    binds: 'partly-covered',
    cites:
      'OvmfPkg/Tcg/TdTcg2Dxe/TdTcg2Dxe.c MeasureVariable: for BootOrder and Boot#### only VariableData is hashed, not its GUID and name.',
    of: variableData,
  },
  {
    id: 'grub-string',
    type: EV_IPL,
    binds: 'partly-covered',
    cites:
      'GRUB grub-core/commands/tpm.c grub_tpm_verify_string: grub_strlen(str) bytes are hashed, without prefix and NUL.',
    of: (data) => grubString(data, GRUB_PREFIXES)?.subarray(0, -1),
  },
  {
    id: 'grub-string-with-nul',
    type: EV_IPL,
    binds: 'partly-covered',
    cites:
      'Fedora GRUB patch 0224 "Rework TPM measurements": commands, but not the kernel command line, are hashed with their NUL (google/go-eventlog extract/rtmr.go).',
    of: (data) => grubString(data, OLD_GRUB_COMMAND),
  },
  {
    id: 'narrowed-name',
    type: EV_IPL,
    binds: 'covered',
    cites:
      'systemd-stub src/boot/stub.c: the name of each section is hashed as ASCII with its NUL and logged as UTF-16.',
    of: narrowedName,
  },
  {
    id: 'platform-config-info',
    type: EV_PLATFORM_CONFIG_FLAGS,
    binds: 'partly-covered',
    cites:
      'td-shim/src/event_log.rs create_event_log_platform_config: of TD_SHIM_PLATFORM_CONFIG_INFO only the info is hashed, not its descriptor.',
    of: platformConfigInfo,
  },
] as const satisfies readonly Preimage[]

type PreimageId = (typeof PREIMAGES)[number]['id']

/** One entry for each event of the log, in its order. */
export function coverage(log: EventLog): readonly Coverage[] {
  return log.events.map(coverageOf)
}

function coverageOf(event: LoggedEvent): Coverage {
  if (extendedRtmr(event) === undefined)
    return { event, payload: 'uncovered', because: 'not-extended' }
  for (const { id, type, binds, of } of PREIMAGES) {
    if (type !== undefined && type !== event.type) continue
    const measured = of(event.data)
    if (measured !== undefined && sameBytes(hash('sha384', measured, 'buffer'), event.sha384))
      return { event, payload: binds, preimage: id, measured }
  }
  return { event, payload: 'uncovered', because: 'no-preimage' }
}

/** UEFI_VARIABLE_DATA: GUID 16, name length u64 in UTF-16 units, data length u64 in bytes, name, data. Nothing may follow. */
function variableData(data: Uint8Array): Uint8Array | undefined {
  if (data.length < 32) return undefined
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const nameBytes = 2n * view.getBigUint64(16, true)
  if (32n + nameBytes + view.getBigUint64(24, true) !== BigInt(data.length)) return undefined
  return data.subarray(32 + Number(nameBytes))
}

const GRUB_PREFIXES = [
  'grub_cmd: ',
  'kernel_cmdline: ',
  'module_cmdline: ',
  'grub_kernel_cmdline ', // Fedora's older patch
].map(ascii)
const OLD_GRUB_COMMAND = ['grub_cmd '].map(ascii)

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

/** What follows the prefix, with the NUL that ends it. */
function grubString(data: Uint8Array, prefixes: readonly Uint8Array[]): Uint8Array | undefined {
  if (data.at(-1) !== 0) return undefined
  const prefix = prefixes.find((known) => sameBytes(data.subarray(0, known.length), known))
  return prefix && data.length > prefix.length ? data.subarray(prefix.length) : undefined
}

/** `.linux\0` of the UTF-16LE text: every byte of the payload is fixed by it. */
function narrowedName(data: Uint8Array): Uint8Array | undefined {
  if (data.length < 4 || data.length % 2 !== 0 || data.length > LONGEST_NAME_BYTES) return undefined
  const narrowed = new Uint8Array(data.length / 2)
  for (let i = 0; i < narrowed.length; i++) {
    const low = data[2 * i] ?? 0
    const isLast = i === narrowed.length - 1
    if (data[2 * i + 1] !== 0 || low > 0x7f || (low === 0) !== isLast) return undefined
    narrowed[i] = low
  }
  return narrowed
}

/** A section name of a PE file has 8 bytes (Microsoft PE format, section table). */
const LONGEST_NAME_BYTES = 2 * (8 + 1)

/** Descriptor 16, length u32, info. Nothing may follow. */
function platformConfigInfo(data: Uint8Array): Uint8Array | undefined {
  if (data.length < 20) return undefined
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  return 20 + view.getUint32(16, true) === data.length ? data.subarray(20) : undefined
}
