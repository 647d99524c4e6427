/** How are entries served? C2SP tlog-tiles, "Log entries": each after its length in two bytes, the first the high one. */
import { concat } from '../bytes/encoding.ts'
import { LogFault } from './log-fault.ts'

const LENGTH_SIZE = 2

/** Throws RangeError for an entry of more than 65,535 bytes. */
export function encodeEntries(entries: readonly Uint8Array[]): Uint8Array {
  return concat(...entries.flatMap((entry) => [lengthOf(entry), entry]))
}

/** Throws LogFault where an entry is cut off. */
export function decodeEntries(bundle: Uint8Array): readonly Uint8Array[] {
  const entries: Uint8Array[] = []
  for (let at = 0; at < bundle.length; ) {
    const start = at + LENGTH_SIZE
    const end = start + (((bundle[at] ?? 0) << 8) | (bundle[at + 1] ?? 0))
    if (end > bundle.length) throw new LogFault(`entry ${entries.length} of the bundle is cut off`)
    entries.push(bundle.subarray(start, end))
    at = end
  }
  return entries
}

function lengthOf({ length }: Uint8Array): Uint8Array {
  if (length > 0xffff) throw new RangeError(`an entry of ${length} bytes fits into no bundle`)
  return Uint8Array.of(length >> 8, length & 0xff)
}
