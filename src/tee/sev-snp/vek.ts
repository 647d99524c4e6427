/**
 * What a VCEK or VLEK certificate says in AMD's own extensions: AMD 57230 "Versioned Chip Endorsement Key (VCEK)
 * Certificate and KDS Interface Specification" rev. 0.51, section 3.1, arc 1.3.6.1.4.1.3704.1. Decoded strictly: a lax
 * reader could be shown a TCB that nobody signed (missing component read as 0, negative or padded INTEGER).
 */
import type { Certificate } from '../../pki/certificate.ts'
import { decodeDer, unsignedInteger } from '../../pki/der.ts'
import type { SigningKey } from './bits.ts'
import { type Product, productOfCertificate, type TcbComponent } from './product.ts'
import type { Tcb } from './tcb.ts'

export interface VekExtensions {
  readonly productName: string
  readonly product: Product
  readonly tcb: Tcb
  /** Raw hardware id, `product.hwidSize` bytes; only a VCEK names a chip. */
  readonly hwid: Uint8Array | undefined
  /** Cloud provider id; only a VLEK names one. */
  readonly cspId: string | undefined
}

/** A Map, for the name is the sender's: `constructor` must be nothing. */
const kinds: ReadonlyMap<string, SigningKey> = new Map([
  ['SEV-VCEK', 'VCEK'],
  ['SEV-VLEK', 'VLEK'],
])

/** Which signing key a certificate is for, by its own word; undefined for any other certificate. */
export function kindOfVek({ commonName }: Certificate): SigningKey | undefined {
  return kinds.get(commonName)
}

const ARC = '1.3.6.1.4.1.3704.1'
const componentOids: Readonly<Record<TcbComponent, string>> = {
  bootloader: `${ARC}.3.1`,
  tee: `${ARC}.3.2`,
  snp: `${ARC}.3.3`,
  microcode: `${ARC}.3.8`,
  fmc: `${ARC}.3.9`,
}
/** Components that AMD keeps free: present on Milan and Genoa, always zero. */
const spareOids = [`${ARC}.3.4`, `${ARC}.3.5`, `${ARC}.3.6`, `${ARC}.3.7`]

/** Throws an Error whose message names the extension. */
export function decodeVekExtensions(certificate: Certificate): VekExtensions {
  const productName = ia5String(certificate, `${ARC}.2`, 'product name')
  const product = productOfCertificate(productName)
  if (!product) throw new Error(`product name "${productName}" is not a known product`)
  const structVersion = integer(certificate, `${ARC}.1`, 'structVersion')
  if (structVersion > 1) throw new Error(`structVersion is ${structVersion}, expected 0 or 1`)
  for (const oid of spareOids)
    if (certificate.extensions.has(oid) && integer(certificate, oid, 'spare component') !== 0)
      throw new Error(`spare component ${oid} is not zero`)
  return {
    productName,
    product,
    tcb: tcbExtensions(certificate, product),
    hwid: hwidOf(certificate, product),
    cspId:
      certificate.commonName === 'SEV-VLEK'
        ? ia5String(certificate, `${ARC}.5`, 'CSP_ID')
        : undefined,
  }
}

function tcbExtensions(certificate: Certificate, product: Product): Tcb {
  const tcb: Partial<Record<TcbComponent, number>> = {}
  for (const component of Object.keys(componentOids) as TcbComponent[]) {
    const oid = componentOids[component]
    if (product.tcbBytes[component] === undefined) {
      if (certificate.extensions.has(oid))
        throw new Error(`${component} (${oid}) does not belong to ${product.name}`)
      continue
    }
    const value = integer(certificate, oid, component)
    if (value > 255) throw new Error(`${component} (${oid}) is ${value}, expected at most 255`)
    tcb[component] = value
  }
  return tcb
}

/** AMD writes the id as bare bytes, without the OCTET STRING that the specification's ASN.1 suggests. */
function hwidOf(certificate: Certificate, product: Product): Uint8Array | undefined {
  const extension = certificate.extensions.get(`${ARC}.4`)
  if (!extension) return undefined
  if (extension.value.length !== product.hwidSize)
    throw new Error(
      `HWID is ${extension.value.length} bytes, expected ${product.hwidSize} for ${product.name}`,
    )
  return extension.value
}

function integer(certificate: Certificate, oid: string, name: string): number {
  try {
    return unsignedInteger(decodeDer(contentsOf(certificate, oid, name), name))
  } catch (cause) {
    throw new Error(`${name} (${oid}): ${cause instanceof Error ? cause.message : cause}`)
  }
}

function ia5String(certificate: Certificate, oid: string, name: string): string {
  const node = decodeDer(contentsOf(certificate, oid, name), name)
  if (node.tag !== 0x16) throw new Error(`${name} (${oid}) is not an IA5String`)
  return Buffer.from(node.contents).toString('latin1')
}

function contentsOf(certificate: Certificate, oid: string, name: string): Uint8Array {
  const extension = certificate.extensions.get(oid)
  if (!extension) throw new Error(`${name} (${oid}) is missing`)
  return extension.value
}
