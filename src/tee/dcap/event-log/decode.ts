/**
 * Which events does this log hold? Decodes the TDX event log of the ACPI CCEL table: a TCG2 crypto-agile log whose
 * events (TCG_PCR_EVENT2) name a measurement register instead of a PCR (UEFI 2.11 section 38.1; TCG PC Client Platform
 * Firmware Profile, "PFP", 1.05 section 10.2.2). Little-endian.
 *
 * Everything here is a claim of whoever carries the log. Only the digests can be tied to the quote, by `replay`, and only
 * some payloads to their digest, by `coverage`. Not checked here: whether the log is complete.
 */
import { Malformed } from '../../../bytes/malformed.ts'
import { type Reader, reader } from '../../../bytes/reader.ts'
import { EV_NO_ACTION, eventTypeName } from './event-types.ts'
import { decodeSpecId, SPEC_ID_PREFIX, type SpecId, TPM_ALG_SHA384 } from './spec-id.ts'

export interface EventLog {
  readonly specId: SpecId
  /** In the order of the log, without the Spec ID event. Empty when nothing follows it. */
  readonly events: readonly LoggedEvent[]
  /** Bytes that the log fills; the rest is padding. */
  readonly size: number
}

export interface LoggedEvent {
  /** Bytes from the start of the log. */
  readonly offset: number
  /** 0 MRTD, 1 to 4 RTMR0 to RTMR3 (UEFI 2.11 section 38.4.1). On EV_NO_ACTION also 0xffffffff. */
  readonly mrIndex: number
  /** See event-types.ts. Any number: a type that the PFP does not assign is measured like any other. */
  readonly type: number
  /** By TPM_ALG_ID: exactly the algorithms of the Spec ID event. Views into the log. */
  readonly digests: ReadonlyMap<number, Uint8Array>
  /** The digest that TDX extends, 48 bytes: `digests.get(TPM_ALG_SHA384)`. */
  readonly sha384: Uint8Array
  /** The payload, as a view into the log. */
  readonly data: Uint8Array
}

/** Our limits: to replay the fullest log and hash its payloads took 12 to 31 ms where it was measured. The areas seen are 65,536 bytes (OVMF) and 262,144 (Google), with up to 43 events. */
export const MAX_LOG_BYTES = 0x80000
export const MAX_EVENTS = 2048
const RTMR3_INDEX = 4
const NO_INDEX = 0xffffffff

/**
 * `source` is the log area as the guest reads it (`/sys/firmware/acpi/tables/data/CCEL`): the log, then nothing or
 * padding, all 0x00 or all 0xff. Throws Malformed on anything else, and beyond MAX_LOG_BYTES or MAX_EVENTS.
 */
export function decodeEventLog(source: Uint8Array): EventLog {
  if (source.length > MAX_LOG_BYTES)
    throw new Malformed(
      { path: 'CCEL', offset: 0 },
      `${source.length} bytes`,
      `at most ${MAX_LOG_BYTES} bytes`,
    )
  const log = reader(source, 'CCEL')
  const specId = decodeSpecId(log)
  const events: LoggedEvent[] = []
  while (log.left > 0 && !isPadding(source, log.offset)) {
    if (events.length === MAX_EVENTS)
      throw new Malformed(
        { path: 'CCEL.event', offset: log.offset },
        'another event',
        `at most ${MAX_EVENTS} events`,
      )
    events.push(decodeEvent(log, specId))
  }
  return { specId, events, size: log.offset }
}

/**
 * Firmware fills the area with 0xff first (OvmfPkg TdTcg2Dxe SetupCcEventLog), older td-shim with 0x00. No event can be
 * mistaken for padding: one that begins so long with either byte claims 0 or 2^32-1 digests. So at most one call walks far.
 */
function isPadding(source: Uint8Array, from: number): boolean {
  const filler = source[from]
  if (filler !== 0x00 && filler !== 0xff) return false
  for (let i = from; i < source.length; i++) if (source[i] !== filler) return false
  return true
}

function decodeEvent(log: Reader, specId: SpecId): LoggedEvent {
  const offset = log.offset
  const mrIndex = log.u32('event.mrIndex')
  const type = log.u32('event.eventType')
  refuseForeignIndex(mrIndex, type, offset)
  const digests = decodeDigests(log, specId)
  const sha384 = digests.get(TPM_ALG_SHA384)
  if (sha384 === undefined)
    throw new Malformed(
      { path: 'CCEL.event.digests', offset },
      'no SHA-384 digest',
      'one: TDX extends nothing else',
    )
  const data = log.bytes('event.event', log.u32('event.eventSize'))
  refuseSecondSpecId(type, data, offset)
  return { offset, mrIndex, type, digests, sha384, data }
}

/**
 * EV_NO_ACTION extends nothing, so an index that names no register does no harm there: canonical/tdx#418 reports "-1" on
 * Google C3, which is 0xffffffff or OVMF's 0 less one. On any other event such an index would be an extension that no replay can follow.
 */
function refuseForeignIndex(mrIndex: number, type: number, offset: number): void {
  if (mrIndex <= RTMR3_INDEX || (type === EV_NO_ACTION && mrIndex === NO_INDEX)) return
  throw new Malformed(
    { path: 'CCEL.event.mrIndex', offset },
    `${mrIndex} on ${eventTypeName(type)}`,
    `0 (MRTD) to ${RTMR3_INDEX} (RTMR3)`,
  )
}

/** Exactly one digest for each algorithm of the Spec ID event, in any order. The count is judged before anything is read for it. */
function decodeDigests(log: Reader, specId: SpecId): ReadonlyMap<number, Uint8Array> {
  const { digestSizes } = specId
  const at = { path: 'CCEL.event.digests', offset: log.offset }
  const count = log.u32('event.digests.count')
  if (count !== digestSizes.size)
    throw new Malformed(at, `${count} digests`, `${digestSizes.size}, as the Spec ID event says`)
  const digests = new Map<number, Uint8Array>()
  while (digests.size < count) {
    const algorithm = log.u16('event.digests.algorithmId')
    const size = digestSizes.get(algorithm)
    if (size === undefined || digests.has(algorithm))
      throw new Malformed(
        at,
        `algorithm 0x${algorithm.toString(16)}${size === undefined ? '' : ' again'}`,
        'each algorithm of the Spec ID event once',
      )
    digests.set(algorithm, log.bytes('event.digests.digest', size))
  }
  return digests
}

/** Two heads would mean two readings of the same bytes. Other EV_NO_ACTION events may come as often as they like (GCE C3 writes several). */
function refuseSecondSpecId(type: number, data: Uint8Array, offset: number): void {
  if (type !== EV_NO_ACTION || !startsWith(data, SPEC_ID_PREFIX)) return
  throw new Malformed(
    { path: 'CCEL.event', offset },
    'another Spec ID event',
    'one, at the start of the log',
  )
}

function startsWith(data: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((byte, i) => data[i] === byte)
}
