/**
 * What AMD writes into a VCEK or VLEK certificate, byte for byte: AMD 57230 rev. 0.51 section 3.1, and for the order of
 * extensions and the encoding of the hardware id, recorded certificates.
 */
import {
  productOfCertificate,
  type TcbComponent,
  tcbComponents,
} from '../../src/tee/sev-snp/product.ts'
import type { Tcb } from '../../src/tee/sev-snp/tcb.ts'
import type { ExtensionFields } from './mint/certificate.ts'
import { integer } from './mint/der.ts'

export const snpProducts = ['Milan', 'Genoa', 'Turin'] as const
export type SnpProduct = (typeof snpProducts)[number]

const ARC = '1.3.6.1.4.1.3704.1'

/** `arc` is the rest of the identifier: `3.8` is the microcode component. */
export function amdExtension(arc: string, value: Uint8Array): ExtensionFields {
  return { oid: `${ARC}.${arc}`, critical: false, value }
}

/** In AMD's own order. The spare components 4 to 7 are zero; Turin's FMC displaced the first of them. */
const componentsOf: Readonly<Record<SnpProduct, readonly (TcbComponent | SpareArc)[]>> = {
  Milan: ['bootloader', 'tee', '3.4', '3.5', '3.6', '3.7', 'snp', 'microcode'],
  Genoa: ['bootloader', 'tee', '3.4', '3.5', '3.6', '3.7', 'snp', 'microcode'],
  Turin: ['fmc', 'bootloader', 'tee', 'snp', '3.5', '3.6', '3.7', 'microcode'],
}
type SpareArc = '3.4' | '3.5' | '3.6' | '3.7'

const componentArcs: Readonly<Record<string, string>> = {
  bootloader: '3.1',
  tee: '3.2',
  snp: '3.3',
  microcode: '3.8',
  fmc: '3.9',
}

export function tcbExtensions(product: SnpProduct, tcb: Tcb): readonly ExtensionFields[] {
  const values: Readonly<Record<string, number>> = { ...tcb }
  return componentsOf[product].map((component) =>
    amdExtension(componentArcs[component] ?? component, integer(values[component] ?? 0)),
  )
}

/** TCB_VERSION, 8 bytes in the product's own order. */
export function encodeTcb(product: SnpProduct, tcb: Tcb): Uint8Array {
  const raw = new Uint8Array(8)
  const tcbBytes = productOfCertificate(product)?.tcbBytes ?? {}
  for (const component of tcbComponents) {
    const at = tcbBytes[component]
    if (at !== undefined) raw[at] = tcb[component] ?? 0
  }
  return raw
}
