/** What would firmware write? Builds event logs byte by byte, right or wrong in one place, for the tests of the event log. */
import { hash } from 'node:crypto'
import { concat } from '../../../../src/bytes/encoding.ts'

export interface Written {
  readonly mrIndex?: number
  readonly type?: number
  readonly data?: Uint8Array
  /** Instead of SHA-384 of `data`. */
  readonly digest?: Uint8Array
  /** Instead of the one SHA-384 digest: count and digest list as they stand in the log. */
  readonly digests?: Uint8Array
  /** Instead of the length of `data`. */
  readonly eventSize?: number
}

export const sha384 = (bytes: Uint8Array): Buffer => hash('sha384', bytes, 'buffer')
export const ascii = (text: string): Buffer => Buffer.from(text, 'latin1')
export const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le')
export const filler = (size: number, byte: number): Uint8Array => new Uint8Array(size).fill(byte)

export function u16(value: number): Uint8Array {
  return new Uint8Array(new Uint16Array([value]).buffer)
}

export function u32(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer)
}

function u64(value: bigint): Uint8Array {
  return new Uint8Array(new BigUint64Array([value]).buffer)
}

/** TCG_PCR_EVENT2. Without wishes: a string in RTMR0, digested as it stands. */
export function eventBytes(written: Written = {}): Uint8Array {
  const { mrIndex = 1, type = 5, data = ascii('an action') } = written
  const digest = written.digest ?? sha384(data)
  const digests = written.digests ?? concat(u32(1), u16(0x000c), digest)
  return concat(u32(mrIndex), u32(type), digests, u32(written.eventSize ?? data.length), data)
}

/** TCG_EfiSpecIDEvent as OVMF writes it: SHA-384 alone. */
const SPEC_ID = specIdBytes({})

export function specIdBytes(wish: {
  readonly signature?: string
  readonly minor?: number
  readonly major?: number
  readonly count?: number
  readonly sizes?: readonly (readonly [algorithm: number, size: number])[]
  readonly vendorInfo?: Uint8Array
}): Uint8Array {
  const { signature = 'Spec ID Event03\0', minor = 0, major = 2, sizes = [[0x000c, 48]] } = wish
  const vendorInfo = wish.vendorInfo ?? new Uint8Array()
  return concat(
    ascii(signature),
    u32(0),
    Uint8Array.of(minor, major, 0, 2),
    u32(wish.count ?? sizes.length),
    ...sizes.flatMap(([algorithm, size]) => [u16(algorithm), u16(size)]),
    Uint8Array.of(vendorInfo.length),
    vendorInfo,
  )
}

/** TCG_PCR_EVENT around a Spec ID event. */
export function headerBytes(
  wish: {
    readonly specId?: Uint8Array
    readonly mrIndex?: number
    readonly type?: number
    readonly digest?: Uint8Array
    readonly eventSize?: number
  } = {},
): Uint8Array {
  const { specId = SPEC_ID, mrIndex = 1, type = 3, digest = new Uint8Array(20) } = wish
  return concat(u32(mrIndex), u32(type), digest, u32(wish.eventSize ?? specId.length), specId)
}

export function logBytes(...events: readonly Written[]): Uint8Array {
  return concat(headerBytes(), ...events.map(eventBytes))
}

/** UEFI_VARIABLE_DATA under an arbitrary GUID. */
export function variableBytes(name: string, value: Uint8Array): Uint8Array {
  return concat(
    filler(16, 0x61),
    u64(BigInt(name.length)),
    u64(BigInt(value.length)),
    utf16(name),
    value,
  )
}

/** A small boot of every kind of event that the payload rules know, and some that they do not. */
export const SMALL_BOOT: readonly Written[] = [
  { mrIndex: 0, type: 3, data: ascii('SP800-155 Event'), digest: new Uint8Array(48) },
  { mrIndex: 0xffffffff, type: 3, data: ascii('another note'), digest: new Uint8Array(48) },
  { mrIndex: 1, type: 0x8000000b, data: ascii('\tTdxTable'), digest: sha384(ascii('a TD HOB')) },
  { mrIndex: 1, type: 0x80000001, data: variableBytes('SecureBoot', Uint8Array.of(1)) },
  { mrIndex: 1, type: 4, data: new Uint8Array(4) },
  {
    mrIndex: 1,
    type: 0x80000002,
    data: variableBytes('BootOrder', Uint8Array.of(0, 0)),
    digest: sha384(Uint8Array.of(0, 0)),
  },
  { mrIndex: 2, type: 0x80000007, data: ascii('Calling EFI Application from Boot Option') },
  { mrIndex: 2, type: 0x80000003, data: filler(92, 7), digest: sha384(ascii('a PE image')) },
  {
    mrIndex: 3,
    type: 0x0d,
    data: ascii('kernel_cmdline: /vmlinuz ro quiet\0'),
    digest: sha384(ascii('/vmlinuz ro quiet')),
  },
  { mrIndex: 3, type: 0x0d, data: utf16('.linux\0'), digest: sha384(ascii('.linux\0')) },
  { mrIndex: 4, type: 6, data: concat(u32(0x4141454c), u32(5), ascii('a b c')) },
]
