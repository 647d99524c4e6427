/** ECDSA signatures out of DER, for hardware that writes R and S at fixed widths. */
import { concat } from '../../../src/bytes/encoding.ts'
import { decodeDer, primitive } from '../../../src/pki/der.ts'

/** Big-endian R and S of `width` bytes each, from DER that a SigningKey made. */
export function rawSignature(
  der: Uint8Array,
  width: number,
): { readonly r: Uint8Array; readonly s: Uint8Array } {
  const [r, s] = decodeDer(der, 'ECDSA signature').children.map((half) => {
    const value = primitive(half)
    const significant = value.subarray(Math.max(0, value.length - width))
    return concat(new Uint8Array(width - significant.length), significant)
  })
  if (!r || !s) throw new TypeError('an ECDSA signature has two halves')
  return { r, s }
}
