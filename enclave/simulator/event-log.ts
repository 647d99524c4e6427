/**
 * A CC event log (CCEL) as TD firmware writes it, and the RTMRs that it extends: TCG PC Client Platform Firmware Profile 1.05
 * sections 10.2 and 10.4.5, UEFI 2.11 section 38.4.1. Only SHA-384, which is all that TDX extends. Little-endian.
 */
import { createHash } from 'node:crypto'
import { concat } from '../../src/bytes/encoding.ts'

export interface LogEntry {
  /** 1 to 4: RTMR0 to RTMR3. */
  readonly mrIndex: number
  readonly type: number
  readonly data: Uint8Array
  /** Default: SHA-384 of `data`, as for events that cover their payload. */
  readonly digest?: Uint8Array
  /** Default 1: as many as follow. */
  readonly digestCount?: number
}

const EV_NO_ACTION = 0x03
const SHA384 = 0x000c
const DIGEST_SIZE = 48

export function eventLog(entries: readonly LogEntry[]): Uint8Array {
  return concat(specIdEvent, ...entries.map(encodeEntry))
}

/** RTMR0 to RTMR3 after a boot that logged these events. */
export function rtmrsOf(entries: readonly LogEntry[]): Readonly<Record<Rtmr, Uint8Array>> {
  const after = (mrIndex: number) =>
    entries
      .filter((entry) => entry.mrIndex === mrIndex && entry.type !== EV_NO_ACTION)
      .reduce((rtmr, entry) => sha384(concat(rtmr, digestOf(entry))), new Uint8Array(DIGEST_SIZE))
  return { rtmr0: after(1), rtmr1: after(2), rtmr2: after(3), rtmr3: after(4) }
}

type Rtmr = 'rtmr0' | 'rtmr1' | 'rtmr2' | 'rtmr3'

/** "Spec ID Event03" in the frame of TCG 1.2, whose digest field is SHA-1-sized and zero. */
const specIdEvent = (() => {
  const body = concat(
    new TextEncoder().encode('Spec ID Event03\0'),
    u32(0),
    new Uint8Array([0, 2, 0, 2]),
    u32(1),
    u16(SHA384),
    u16(DIGEST_SIZE),
    new Uint8Array([0]),
  )
  return concat(u32(1), u32(EV_NO_ACTION), new Uint8Array(20), u32(body.length), body)
})()

/** The event that opens a log; a second one makes it ambiguous. */
export const specIdEntry: LogEntry = {
  mrIndex: 1,
  type: EV_NO_ACTION,
  data: specIdEvent.subarray(32),
}

function encodeEntry(entry: LogEntry): Uint8Array {
  const { mrIndex, type, data, digestCount = 1 } = entry
  return concat(
    u32(mrIndex),
    u32(type),
    u32(digestCount),
    u16(SHA384),
    digestOf(entry),
    u32(data.length),
    data,
  )
}

function digestOf({ data, digest }: LogEntry): Uint8Array {
  return digest ?? sha384(data)
}

function sha384(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha384').update(bytes).digest())
}

function u16(value: number): Uint8Array {
  return new Uint8Array([value & 0xff, value >> 8])
}

function u32(value: number): Uint8Array {
  return concat(u16(value & 0xffff), u16(value >>> 16))
}
