/**
 * Do the digests of this log add up to the RTMRs of the quote? Replays the log into the four registers and compares.
 * A match proves that the log names every digest that was extended into that register, in that order, and no other.
 * It says nothing about event types and payloads (see payload.ts), nor about the order between registers.
 */
import { hash } from 'node:crypto'
import { isZero, sameBytes } from '../../../bytes/encoding.ts'
import type { EventLog, LoggedEvent } from './decode.ts'
import { EV_NO_ACTION } from './event-types.ts'

/** RTMR0 to RTMR3, 48 bytes each. */
export type Rtmrs = readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]

/** `unreplayed`: the quote says that the register was extended, the log has no event for it. Whoever needs that register has nothing to go by: never a pass. */
export type RtmrComparison = 'match' | 'mismatch' | 'unreplayed'

const RTMR_BYTES = 48

/**
 * Which register was this event extended into? `undefined` for none: EV_NO_ACTION never is, whatever index and digest
 * it shows (PFP 1.05 section 10.4.3), and index 0 is MRTD, which the TDX module closes before the guest runs.
 */
export function extendedRtmr(event: LoggedEvent): 0 | 1 | 2 | 3 | undefined {
  if (event.type === EV_NO_ACTION) return undefined
  switch (event.mrIndex) {
    case 1:
      return 0
    case 2:
      return 1
    case 3:
      return 2
    case 4:
      return 3
    default:
      return undefined
  }
}

/**
 * RTMR = SHA-384(RTMR || digest) for each event in turn, from 48 zero bytes (Intel TDX Module ABI, TDG.MR.RTMR.EXTEND).
 * A register without events stays zero; no extended one can be. StartupLocality events change nothing: RTMRs have no locality.
 */
export function replay(log: EventLog): Rtmrs {
  const rtmrs: Rtmrs = [unextended(), unextended(), unextended(), unextended()]
  const input = new Uint8Array(2 * RTMR_BYTES)
  for (const event of log.events) {
    const index = extendedRtmr(event)
    if (index === undefined) continue
    input.set(rtmrs[index], 0)
    input.set(event.sha384, RTMR_BYTES)
    rtmrs[index].set(hash('sha384', input, 'buffer'))
  }
  return rtmrs
}

function unextended(): Uint8Array {
  return new Uint8Array(RTMR_BYTES)
}

/** `quoted` must come from an authenticated quote; this does not check that. */
export function compareRtmrs(
  replayed: Rtmrs,
  quoted: Rtmrs,
): readonly [RtmrComparison, RtmrComparison, RtmrComparison, RtmrComparison] {
  return [
    compare(replayed[0], quoted[0]),
    compare(replayed[1], quoted[1]),
    compare(replayed[2], quoted[2]),
    compare(replayed[3], quoted[3]),
  ]
}

function compare(replayed: Uint8Array, quoted: Uint8Array): RtmrComparison {
  if (sameBytes(replayed, quoted)) return 'match'
  return isZero(replayed) ? 'unreplayed' : 'mismatch'
}
