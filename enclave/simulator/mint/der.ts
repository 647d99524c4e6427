/**
 * How a DER value is written. Composites are cut by hand, so that a test can write what no library would (two serial
 * numbers, an INTEGER that is not minimal); asn1js writes object identifiers, strings and times.
 */
import {
  GeneralizedTime,
  IA5String,
  ObjectIdentifier,
  PrintableString,
  UTCTime,
  Utf8String,
} from 'asn1js'
import { concat, fromHex } from '../../../src/bytes/encoding.ts'

/** One tag-length-value with a single tag octet and definite length. */
export function tlv(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const body = concat(...contents)
  return concat(new Uint8Array([tag, ...lengthOctets(body.length)]), body)
}

export const sequence = (...parts: readonly Uint8Array[]) => tlv(0x30, ...parts)
export const set = (...parts: readonly Uint8Array[]) => tlv(0x31, ...parts)
/** `[number] EXPLICIT`. */
export const tagged = (number: number, ...parts: readonly Uint8Array[]) =>
  tlv(0xa0 | number, ...parts)
export const octets = (value: Uint8Array) => tlv(0x04, value)
export const bits = (value: Uint8Array, unused = 0) => tlv(0x03, new Uint8Array([unused]), value)
export const boolean = (value: boolean) => tlv(0x01, new Uint8Array([value ? 0xff : 0]))
export const enumerated = (value: number) => tlv(0x0a, new Uint8Array([value]))
export const nothing = tlv(0x05)

/** Minimal two's complement, as DER demands. */
export function integer(value: bigint | number): Uint8Array {
  const number = BigInt(value)
  let size = 1
  while (BigInt.asIntN(size * 8, number) !== number) size++
  const hex = BigInt.asUintN(size * 8, number).toString(16)
  return tlv(0x02, fromHex(hex.padStart(size * 2, '0')) ?? new Uint8Array())
}

export function oid(value: string): Uint8Array {
  return new Uint8Array(new ObjectIdentifier({ value }).toBER())
}

export function utf8(value: string): Uint8Array {
  return new Uint8Array(new Utf8String({ value }).toBER())
}

export function printable(value: string): Uint8Array {
  return new Uint8Array(new PrintableString({ value }).toBER())
}

export function ia5(value: string): Uint8Array {
  return new Uint8Array(new IA5String({ value }).toBER())
}

/** RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. Whole seconds. */
export function time(value: Date): Uint8Array {
  const type = value.getUTCFullYear() < 2050 ? UTCTime : GeneralizedTime
  return new Uint8Array(new type({ valueDate: value }).toBER())
}

function lengthOctets(length: number): readonly number[] {
  if (length < 0x80) return [length]
  const octets: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return [0x80 | octets.length, ...octets]
}
