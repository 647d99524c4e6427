/**
 * How does SSH write strings and integers (RFC 4251 section 5)? Big-endian lengths, strict on reading: one form for each
 * value, and nothing is allocated for a length that was only claimed.
 */
import { concat, toHex } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import type { Reader } from '../../bytes/reader.ts'

export function readUint32(from: Reader, field: string): number {
  const octets = from.bytes(field, 4)
  return new DataView(octets.buffer, octets.byteOffset, 4).getUint32(0)
}

/** A view, not a copy. */
export function readString(from: Reader, field: string): Uint8Array {
  return from.bytes(field, readUint32(from, field))
}

/** Names of algorithms and namespaces: printable ASCII without spaces, so that two that look alike are alike. */
export function readName(from: Reader, field: string): string {
  const at = { path: field, offset: from.offset }
  const octets = readString(from, field)
  if (octets.length === 0 || octets.length > LONGEST_NAME)
    throw new Malformed(at, `a name of ${octets.length} bytes`, `1 to ${LONGEST_NAME}`)
  if (!octets.every((octet) => octet > 0x20 && octet < 0x7f))
    throw new Malformed(at, `the bytes ${toHex(octets)}`, 'printable ASCII without spaces')
  return Buffer.from(octets).toString('latin1')
}

/** A positive mpint in its shortest form; returned big-endian, without the zero that keeps it from being negative. */
export function readPositive(from: Reader, field: string): Uint8Array {
  const at = { path: field, offset: from.offset }
  const octets = readString(from, field)
  const [first, second = 0] = octets
  if (first === undefined) throw new Malformed(at, 'zero', 'a positive integer')
  if (first >= 0x80) throw new Malformed(at, 'a negative integer', 'a positive integer')
  if (first === 0 && second < 0x80)
    throw new Malformed(at, 'an integer with needless zeros in front', 'its shortest form')
  return first === 0 ? octets.subarray(1) : octets
}

export function uint32(value: number): Uint8Array {
  const octets = new Uint8Array(4)
  new DataView(octets.buffer).setUint32(0, value)
  return octets
}

export function string(value: string | Uint8Array): Uint8Array {
  const octets = typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : value
  return concat(uint32(octets.length), octets)
}

const LONGEST_NAME = 255
