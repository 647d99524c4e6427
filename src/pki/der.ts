/**
 * DER cut into nodes that remember the bytes they came from, so that signatures and identities are decided on what was
 * received. asn1js does the decoding; what it tolerates beyond DER (trailing bytes, indefinite lengths) is refused here.
 */
import { type AsnType, BaseBlock, fromBER } from 'asn1js'
import { Malformed } from '../bytes/malformed.ts'
import { assertFewValues, spanAt } from './tlv.ts'

/** A PCK certificate has about 90 values, a VCEK 130. */
const MOST_VALUES = 512

/**
 * Decoders look for values inside of strings too, and what they find there nobody has counted: six kilobytes hold three thousand,
 * which cost a twentieth of a second. What lies inside of a string is decoded by whoever knows what it is.
 */
export const STRINGS_STAY_CLOSED = { parseEmbedded: false } as const

export interface DerNode {
  /** Tag octet: class, constructed bit and number (no vendor structure uses numbers above 30). */
  readonly tag: number
  /** Header and contents, as received. */
  readonly der: Uint8Array
  /** Contents only. */
  readonly contents: Uint8Array
  /** Empty for a primitive node. */
  readonly children: readonly DerNode[]
}

/** Throws Malformed unless `der` is exactly one definite-length value. Throws what asn1js throws on deeper faults: callers wrap it. */
export function decodeDer(der: Uint8Array, path: string): DerNode {
  return nodeOf(schemaOf(der, path))
}

/** The same as pkijs takes it (`schema`): its own `fromBER` would open strings. */
export function schemaOf(der: Uint8Array, path: string): AsnType {
  const { end } = spanAt(der, 0, der.length)
  if (end !== der.length)
    throw new Malformed({ path, offset: end }, `${der.length - end} bytes after the end`, 'the end')
  // The decoder spends ten microseconds on each value, however small: what is made of thousands is refused unread.
  assertFewValues(der, MOST_VALUES)
  const { offset, result } = fromBER(der.slice(), STRINGS_STAY_CLOSED)
  if (offset === -1 || result.error)
    throw new Malformed({ path, offset: 0 }, result.error || 'no ASN.1 value', 'DER')
  return result
}

/** Contents of a primitive value; throws for a constructed one. */
export function primitive(node: DerNode): Uint8Array {
  if (node.tag & 0x20) throw new Error('a constructed value where a primitive one belongs')
  return node.contents
}

/** Contents of a BIT STRING that holds whole octets, as signatures and keys do. */
export function bitString(node: DerNode): Uint8Array {
  const { octets, unusedBits } = bits(node)
  if (unusedBits !== 0) throw new Error(`a BIT STRING with ${unusedBits} unused bits`)
  return octets
}

/** A BIT STRING of named bits. AMD counts one unused bit where DER wants two, so the count need not be the largest possible. */
export function bits(node: DerNode): {
  readonly octets: Uint8Array
  readonly unusedBits: number
} {
  const [unusedBits = 8, ...octets] = node.tag === 0x03 ? node.contents : []
  if (unusedBits > 7 || (octets.length === 0 && unusedBits !== 0))
    throw new Error('not a BIT STRING')
  if (((octets.at(-1) ?? 0) & ((1 << unusedBits) - 1)) !== 0)
    throw new Error('unused bits of a BIT STRING are set')
  return { octets: new Uint8Array(octets), unusedBits }
}

/** The dotted form of an OBJECT IDENTIFIER. */
export function objectIdentifier(node: DerNode): string {
  if (node.tag !== 0x06) throw new Error('not an OBJECT IDENTIFIER')
  const arcs: number[] = []
  let arc = 0
  for (const octet of node.contents) {
    arc = arc * 128 + (octet & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER / 128)
      throw new Error('an object identifier arc is too large')
    if (octet & 0x80) continue
    if (arcs.length === 0) {
      const first = Math.min(2, Math.floor(arc / 40))
      arcs.push(first, arc - first * 40)
    } else arcs.push(arc)
    arc = 0
  }
  return arcs.join('.')
}

/**
 * A non-negative INTEGER below 2^31 in its one DER form: `02 02 00 1E` (not minimal) and `02 01 DB` (negative) are
 * refused, because a lax reader would turn both into TCB numbers that nobody signed.
 */
export function unsignedInteger(node: DerNode): number {
  const { tag, contents } = node
  if (tag !== 0x02 || contents.length === 0) throw new Error('not an INTEGER')
  const [first = 0, second = 0] = contents
  if (first >= 0x80) throw new Error('a negative INTEGER')
  if (contents.length > 1 && first === 0 && second < 0x80)
    throw new Error('an INTEGER that is not minimally encoded')
  if (contents.length > 5 || (contents.length === 5 && first !== 0))
    throw new Error('an INTEGER that is too large')
  return contents.reduce((value, octet) => value * 256 + octet, 0)
}

function nodeOf(block: BaseBlock): DerNode {
  const der = block.valueBeforeDecodeView
  // asn1js follows the parts of a constructed value and not its length, so two values that differ there would read alike.
  const { start, end } = spanAt(der, 0, der.length)
  if (end !== der.length) throw new Error(`${der.length - end} bytes after a value's own length`)
  const contents = der.subarray(start)
  const children = childrenOf(block)
  const spanned = children.reduce((sum, child) => sum + child.der.length, 0)
  if ((der[0] ?? 0) & 0x20 && spanned !== contents.length)
    throw new Error(`${contents.length} bytes of contents of which ${spanned} are values`)
  return { tag: der[0] ?? 0, der, contents, children }
}

function childrenOf(block: BaseBlock): readonly DerNode[] {
  // Constructed blocks keep their parts in valueBlock.value; the tag octet says whether this is one.
  const parts = (block.valueBlock as { value?: unknown }).value
  if (((block.valueBeforeDecodeView[0] ?? 0) & 0x20) === 0 || !Array.isArray(parts)) return []
  return parts.filter((part): part is BaseBlock => part instanceof BaseBlock).map(nodeOf)
}
