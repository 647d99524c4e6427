/**
 * Which digests does every event of this log carry? The first event answers: a TCG_EfiSpecIDEvent ("Spec ID Event03")
 * in the old frame TCG_PCR_EVENT with its SHA-1-sized digest (TCG PC Client Platform Firmware Profile, "PFP", 1.05,
 * sections 10.2.1 and 10.4.5). Little-endian. It is measured nowhere: whoever carries the log may change it.
 */
import { sameBytes } from '../../../bytes/encoding.ts'
import { bytes, layout, u8, u32, zero } from '../../../bytes/layout.ts'
import { hexOffset, Malformed } from '../../../bytes/malformed.ts'
import { type Reader, reader } from '../../../bytes/reader.ts'
import { EV_NO_ACTION, eventTypeName } from './event-types.ts'

export const TPM_ALG_SHA384 = 0x000c

export interface SpecId {
  /** The measurement register that the frame names. OVMF writes 1, td-shim 0; no register is extended with it. */
  readonly mrIndex: number
  /** 0 client, 1 server. */
  readonly platformClass: number
  readonly specErrata: number
  /** In units of 4 bytes. */
  readonly uintnSize: number
  /** Digest size in bytes by TPM_ALG_ID, in the order of the log. Never empty. */
  readonly digestSizes: ReadonlyMap<number, number>
  readonly vendorInfo: Uint8Array
}

/** What Spec ID events of all versions begin with. */
export const SPEC_ID_PREFIX = new TextEncoder().encode('Spec ID Event')
const SIGNATURE = new TextEncoder().encode('Spec ID Event03\0')

/** TPM_ALG_ID and digest size, as the TCG Algorithm Registry assigns them. A log that names another hash is refused: nothing but its own word tells how long those digests are. */
const DIGEST_SIZES: ReadonlyMap<number, number> = new Map([
  [0x0004, 20], // SHA-1
  [0x000b, 32], // SHA-256
  [TPM_ALG_SHA384, 48],
  [0x000d, 64], // SHA-512
  [0x0012, 32], // SM3-256
  [0x0027, 32], // SHA3-256
  [0x0028, 48], // SHA3-384
  [0x0029, 64], // SHA3-512
])

const FRAME = layout('CCEL.header', 32, {
  pcrIndex: u32(0),
  eventType: u32(4),
  digest: zero(8, 20),
  eventSize: u32(28),
})

const FIXED = layout('CCEL.specId', 28, {
  signature: bytes(0, 16),
  platformClass: u32(16),
  specVersionMinor: u8(20),
  specVersionMajor: u8(21),
  specErrata: u8(22),
  uintnSize: u8(23),
  numberOfAlgorithms: u32(24),
})

/** Reads the first event and leaves `log` at the second. Throws Malformed. */
export function decodeSpecId(log: Reader): SpecId {
  const frame = FRAME.decode(log.bytes('header', FRAME.size))
  if (frame.eventType !== EV_NO_ACTION)
    throw new Malformed(
      { path: 'CCEL.header.eventType', offset: 4 },
      eventTypeName(frame.eventType),
      'EV_NO_ACTION: a crypto-agile log begins with its Spec ID event',
    )
  return decodeBody(log.bytes('specId', frame.eventSize), frame.pcrIndex)
}

function decodeBody(source: Uint8Array, mrIndex: number): SpecId {
  const body = reader(source, 'CCEL.specId')
  const fixed = FIXED.decode(body.bytes('fixed', FIXED.size))
  if (!sameBytes(fixed.signature, SIGNATURE))
    throw new Malformed(
      { path: 'CCEL.specId.signature', offset: 0 },
      JSON.stringify(String.fromCharCode(...fixed.signature)),
      '"Spec ID Event03\\u0000"',
    )
  const version = `${fixed.specVersionMajor}.${fixed.specVersionMinor}`
  if (version !== '2.0')
    throw new Malformed({ path: 'CCEL.specId.specVersion', offset: 20 }, version, '2.0')
  const digestSizes = decodeDigestSizes(body, fixed.numberOfAlgorithms)
  const vendorInfo = body.bytes('vendorInfo', body.u8('vendorInfoSize'))
  body.done()
  const { platformClass, specErrata, uintnSize } = fixed
  return { mrIndex, platformClass, specErrata, uintnSize, digestSizes, vendorInfo }
}

function decodeDigestSizes(body: Reader, count: number): ReadonlyMap<number, number> {
  // Each known algorithm at most once: more entries than that need not be read to be refused.
  if (count === 0 || count > DIGEST_SIZES.size)
    throw new Malformed(
      { path: 'CCEL.specId.numberOfAlgorithms', offset: 24 },
      `${count}`,
      `1 to ${DIGEST_SIZES.size}`,
    )
  const sizes = new Map<number, number>()
  while (sizes.size < count) {
    const at = { path: 'CCEL.specId.digestSizes', offset: body.offset }
    const algorithm = body.u16('algorithmId')
    const size = body.u16('digestSize')
    const expected = DIGEST_SIZES.get(algorithm)
    if (expected === undefined)
      throw new Malformed(at, `algorithm ${hexOffset(algorithm)}`, 'a hash of the TCG registry')
    if (size !== expected)
      throw new Malformed(
        at,
        `${size} bytes for ${hexOffset(algorithm)}`,
        `${expected} bytes, as the TCG registry says`,
      )
    if (sizes.has(algorithm))
      throw new Malformed(at, `${hexOffset(algorithm)} again`, 'each algorithm once')
    sizes.set(algorithm, size)
  }
  return sizes
}
