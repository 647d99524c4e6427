/** TCB_VERSION as named components. A 64-bit comparison would let a high microcode hide an old SNP firmware, so components are compared one by one. */
import type { SnpTcb } from '../../rats/reference-values.ts'
import { type Product, type TcbComponent, tcbComponents } from './product.ts'

export type Tcb = Readonly<Partial<Record<TcbComponent, number>>>

/** `raw` is the 8-byte field; components that the product does not have are absent. */
export function tcbOf(raw: Uint8Array, { tcbBytes }: Product): Tcb {
  const tcb: Partial<Record<TcbComponent, number>> = {}
  for (const component of tcbComponents) {
    const at = tcbBytes[component]
    if (at !== undefined) tcb[component] = raw[at] ?? 0
  }
  return tcb
}

/** Components in which `tcb` lies below `floor`. A component that the floor names and the product lacks counts as below. */
export function componentsBelow(tcb: Tcb, floor: Tcb | SnpTcb): readonly TcbComponent[] {
  return tcbComponents.filter((component) => {
    const least = floor[component]
    return least !== undefined && (tcb[component] ?? -1) < least
  })
}

export function sameTcb(a: Tcb, b: Tcb): boolean {
  return tcbComponents.every((component) => a[component] === b[component])
}

/** `bootloader 4, tee 0, snp 24, microcode 219` */
export function describeTcb(tcb: Tcb | SnpTcb): string {
  return tcbComponents
    .filter((component) => tcb[component] !== undefined)
    .map((component) => `${component} ${tcb[component]}`)
    .join(', ')
}
