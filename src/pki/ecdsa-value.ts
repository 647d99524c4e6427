/**
 * Raw ECDSA signature values to the DER that node:crypto verifies. Vendors write R and S at fixed widths, AMD
 * little-endian, Intel big-endian. node:crypto takes the raw form too (`ieee-p1363`), but Node 24 spends 19 µs more on
 * it, as much as a third of a P-256 verification; this conversion costs under half a microsecond.
 */

/** DER `SEQUENCE { INTEGER r, INTEGER s }` from two unsigned big-endian values of equal width, at most 66 bytes each. */
export function derFromBigEndian(r: Uint8Array, s: Uint8Array): Uint8Array {
  const rStart = firstSignificant(r)
  const sStart = firstSignificant(s)
  const rSize = integerSize(r, rStart)
  const sSize = integerSize(s, sStart)
  const body = 4 + rSize + sSize
  // Bodies of 128 bytes and more (P-521) need the long length form.
  const header = body < 0x80 ? 2 : 3
  const der = new Uint8Array(header + body)
  der[0] = 0x30
  if (header === 3) der[1] = 0x81
  der[header - 1] = body
  writeInteger(der, header, r, rStart, rSize)
  writeInteger(der, header + 2 + rSize, s, sStart, sSize)
  return der
}

/** As `derFromBigEndian`, for AMD's little-endian halves. */
export function derFromLittleEndian(r: Uint8Array, s: Uint8Array): Uint8Array {
  return derFromBigEndian(r.slice().reverse(), s.slice().reverse())
}

function firstSignificant(value: Uint8Array): number {
  let start = 0
  while (start < value.length - 1 && value[start] === 0) start++
  return start
}

/** DER integers are signed: a value whose top bit is set gets a zero in front. */
function integerSize(value: Uint8Array, start: number): number {
  return value.length - start + ((value[start] ?? 0) >= 0x80 ? 1 : 0)
}

function writeInteger(
  der: Uint8Array,
  at: number,
  value: Uint8Array,
  start: number,
  size: number,
): void {
  der[at] = 0x02
  der[at + 1] = size
  der.set(value.subarray(start), at + 2 + size - (value.length - start))
}
