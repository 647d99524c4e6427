/**
 * Which product line a report or certificate is of. Products differ in root, TCB byte order and chip id length;
 * everything that depends on the product is a row here.
 */

export interface Product {
  /** AMD's name of the line in KDS addresses and root names: `Milan`, `Genoa`, `Turin`. */
  readonly name: string
  /** TCB_VERSION byte of each component: AMD 56860, TCB_VERSION (Turin has an order of its own). */
  readonly tcbBytes: Readonly<Partial<Record<TcbComponent, number>>>
  /** Bytes of CHIP_ID that are the hardware id; the rest are zero. */
  readonly hwidSize: number
}

export const tcbComponents = ['fmc', 'bootloader', 'tee', 'snp', 'microcode'] as const
export type TcbComponent = (typeof tcbComponents)[number]

const MILAN_BYTES = { bootloader: 0, tee: 1, snp: 6, microcode: 7 } as const
const TURIN_BYTES = { fmc: 0, bootloader: 1, tee: 2, snp: 3, microcode: 7 } as const

const milan: Product = { name: 'Milan', tcbBytes: MILAN_BYTES, hwidSize: 64 }
const genoa: Product = { name: 'Genoa', tcbBytes: MILAN_BYTES, hwidSize: 64 }
const turin: Product = { name: 'Turin', tcbBytes: TURIN_BYTES, hwidSize: 8 }

const products: Readonly<Record<string, Product>> = { Milan: milan, Genoa: genoa, Turin: turin }

/** CPUID family and model ranges. 0x19/0xA0-0xAF are the Zen 4c parts (Bergamo, Siena), which KDS files under Genoa. */
const models: readonly (readonly [
  family: number,
  first: number,
  last: number,
  product: Product,
])[] = [
  [0x19, 0x00, 0x0f, milan],
  [0x19, 0x10, 0x1f, genoa],
  [0x19, 0xa0, 0xaf, genoa],
  [0x1a, 0x00, 0x11, turin],
]

export function productOfCpuid(family: number, model: number): Product | undefined {
  return models.find(([f, first, last]) => f === family && first <= model && model <= last)?.[3]
}

/** From the product name extension: `Milan-B0` names a stepping, `Genoa` does not. */
export function productOfCertificate(productName: string): Product | undefined {
  return products[/^([A-Z][a-z]+)(-[A-Z][0-9])?$/.exec(productName)?.[1] ?? '']
}
