/**
 * Raw ECDSA signature values to the DER that node:crypto verifies. Vendors write R and S at fixed widths, AMD
 * little-endian, Intel big-endian. node:crypto takes the raw form too (`ieee-p1363`), but Node 24 spends 19 µs more on
 * it, as much as a third of a P-256 verification; this conversion costs under half a microsecond.
 */

/** DER `SEQUENCE { INTEGER r, INTEGER s }` from two unsigned big-endian values, at most 66 bytes each. */
export function derFromBigEndian(r: Uint8Array, s: Uint8Array): Uint8Array {
  return sequence(r, s, (value, index) => value[index] ?? 0)
}

/** As `derFromBigEndian`, for AMD's little-endian halves. */
export function derFromLittleEndian(r: Uint8Array, s: Uint8Array): Uint8Array {
  return sequence(r, s, (value, index) => value[value.length - 1 - index] ?? 0)
}

/**
 * The other way round, as JOSE writes it (RFC 7518 section 3.4): R and S in `size` bytes each. For what node:crypto itself
 * has just signed; throws for anything that is no such DER.
 */
export function bigEndianFromDer(der: Uint8Array, size: number): Uint8Array {
  const raw = new Uint8Array(2 * size)
  // Bodies below 128 bytes only: P-256 and P-384.
  const body = der[0] === 0x30 && der[1] === der.length - 2 ? 2 : der.length
  const second = copyInteger(der, body, raw.subarray(0, size))
  if (copyInteger(der, second, raw.subarray(size)) !== der.length) throw notASignature()
  return raw
}

/** Right-aligned into `target`, whose bytes are zero; the sign octet is left behind. Returns where the next value starts. */
function copyInteger(der: Uint8Array, at: number, target: Uint8Array): number {
  const end = at + 2 + (der[at + 1] ?? 0)
  if (der[at] !== 0x02 || end > der.length || end === at + 2) throw notASignature()
  const start = der[at + 2] === 0 ? at + 3 : at + 2
  if (end - start > target.length) throw notASignature()
  target.set(der.subarray(start, end), target.length - (end - start))
  return end
}

function notASignature(): Error {
  return new Error('not the DER of an ECDSA signature')
}

/** The octet of a value that is `index` places from its most significant end. */
type OctetAt = (value: Uint8Array, index: number) => number

function sequence(r: Uint8Array, s: Uint8Array, octetAt: OctetAt): Uint8Array {
  const rStart = firstSignificant(r, octetAt)
  const sStart = firstSignificant(s, octetAt)
  const rSize = integerSize(r, rStart, octetAt)
  const sSize = integerSize(s, sStart, octetAt)
  const body = 4 + rSize + sSize
  // Bodies of 128 bytes and more (P-521) need the long length form.
  const header = body < 0x80 ? 2 : 3
  const der = Buffer.allocUnsafe(header + body)
  der[0] = 0x30
  if (header === 3) der[1] = 0x81
  der[header - 1] = body
  writeInteger(der, header, { value: r, start: rStart, size: rSize, octetAt })
  writeInteger(der, header + 2 + rSize, { value: s, start: sStart, size: sSize, octetAt })
  return der
}

function firstSignificant(value: Uint8Array, octetAt: OctetAt): number {
  let start = 0
  while (start < value.length - 1 && octetAt(value, start) === 0) start++
  return start
}

/** DER integers are signed: a value whose top bit is set gets a zero in front. */
function integerSize(value: Uint8Array, start: number, octetAt: OctetAt): number {
  return value.length - start + (octetAt(value, start) >= 0x80 ? 1 : 0)
}

interface Integer {
  readonly value: Uint8Array
  readonly start: number
  readonly size: number
  readonly octetAt: OctetAt
}

function writeInteger(der: Uint8Array, at: number, { value, start, size, octetAt }: Integer): void {
  der[at] = 0x02
  der[at + 1] = size
  let cursor = at + 2
  if (size > value.length - start) der[cursor++] = 0
  for (let index = start; index < value.length; index++) der[cursor++] = octetAt(value, index)
}
