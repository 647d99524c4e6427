/** How the bytes of `--expect NAME=HEX` become reference values that are not plain byte fields. */
import type { MaskedBytes } from '../../rats/reference-values.ts'

/** Every bit as given: no mask leaves any out. */
export function exactBits(value: Uint8Array): MaskedBytes {
  return { mask: new Uint8Array(value.length).fill(0xff), value }
}

/** Big-endian. */
export function numberOf(value: Uint8Array): number {
  return value.reduce((number, octet) => number * 256 + octet, 0)
}
