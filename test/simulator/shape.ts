/** Tags and object identifiers of a DER value without its other contents: what two certificates of one profile have in common. */
import { toHex } from '../../src/bytes/encoding.ts'
import { type DerNode, decodeDer } from '../../src/pki/der.ts'

/** Of the signed part of a certificate. */
export function profileOf(certificate: Uint8Array): string {
  const [tbs] = decodeDer(certificate, 'certificate').children
  return tbs ? shape(tbs) : ''
}

export function shapeOf(der: Uint8Array): string {
  return shape(decodeDer(der, 'value'))
}

function shape({ tag, contents, children }: DerNode): string {
  const value = tag === 0x06 ? toHex(contents) : ''
  return `${tag.toString(16)}${value}(${children.map(shape).join(' ')})`
}
