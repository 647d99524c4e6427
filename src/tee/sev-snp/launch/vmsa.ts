/**
 * In which state does a vCPU start? Its registers stand in a VM save area, one encrypted and measured page
 * (AMD64 APM volume 2, 24593, table B-4). The rows name what is not zero when a vCPU comes out of reset in real mode.
 */
import { layout, type Row, u16, u32, u64, zero } from '../../../bytes/layout.ts'
import type { Vmm } from './vmm.ts'

export interface VcpuStart {
  readonly vmm: Vmm
  readonly csAttributes: number
  /** Linear address of the first instruction: CS base (high half) and RIP (low half). */
  readonly address: number
  readonly rdx: number
  /** SEV_FEATURES: bit 0 SNP active, bit 5 debug swap, bit 9 secure TSC... */
  readonly guestFeatures: bigint
}

interface Segment {
  readonly selector: number
  readonly attributes: number
  readonly base: number
}

/** Every segment has the limit of real mode. */
const LIMIT = 0xffff

const vmsa = layout('VMSA', 0x1000, {
  es: segment(0x000),
  cs: segment(0x010),
  ss: segment(0x020),
  ds: segment(0x030),
  fs: segment(0x040),
  gs: segment(0x050),
  gdtr: segment(0x060),
  ldtr: segment(0x070),
  idtr: segment(0x080),
  tr: segment(0x090),
  shadowStacksToCpl: zero(0x0a0, 0x30),
  efer: u64(0x0d0),
  reservedToXss: zero(0x0d8, 0x70),
  cr4: u64(0x148),
  cr3: zero(0x150, 8),
  cr0: u64(0x158),
  dr7: u64(0x160),
  dr6: u64(0x168),
  rflags: u64(0x170),
  rip: u64(0x178),
  dr0ToCr2: zero(0x180, 0xe8),
  pat: u64(0x268),
  debugControlToRcx: zero(0x270, 0xa0),
  rdx: u64(0x310),
  rbxToExitState: zero(0x318, 0x98),
  sevFeatures: u64(0x3b0),
  interruptControlToEventInjection: zero(0x3b8, 0x30),
  xcr0: u64(0x3e8),
  reservedToX87DataPointer: zero(0x3f0, 0x18),
  mxcsr: u32(0x408),
  x87TagAndStatus: zero(0x40c, 4),
  fpuControlWord: u16(0x410),
  floatingPointRegisters: zero(0x412, 0xbee),
})

/** The 4096 bytes of one vCPU's save area. */
export function encodeVmsa(start: VcpuStart): Uint8Array {
  const { vmm, csAttributes, address, rdx, guestFeatures } = start
  const dataSegment = { selector: 0, attributes: 0x93, base: 0 }
  const descriptorTable = { selector: 0, attributes: 0, base: 0 }
  const rip = address % 0x1_0000
  return vmsa.encode({
    es: dataSegment,
    cs: { selector: 0xf000, attributes: csAttributes, base: address - rip },
    ss: { ...dataSegment, attributes: vmm.ssAttributes },
    ds: dataSegment,
    fs: dataSegment,
    gs: dataSegment,
    gdtr: descriptorTable,
    ldtr: { selector: 0, attributes: 0x82, base: 0 },
    idtr: descriptorTable,
    tr: { selector: 0, attributes: vmm.trAttributes, base: 0 },
    efer: 0x1000n, // SVME: set by the hypervisor for every guest
    cr4: 0x40n, // MCE
    cr0: 0x10n, // ET alone: hypervisors clear CD and NW, which bare metal has set at reset
    dr7: 0x400n,
    dr6: 0xffff_0ff0n,
    rflags: 0x2n,
    rip: BigInt(rip),
    pat: vmm.pat,
    rdx: BigInt(rdx),
    sevFeatures: guestFeatures,
    xcr0: 0x1n,
    mxcsr: vmm.mxcsr,
    fpuControlWord: vmm.fpuControlWord,
  })
}

/** u16 selector, u16 attributes, u32 limit, u64 base. */
function segment(at: number): Row<Segment> {
  return {
    at,
    size: 16,
    read: (view) => ({
      selector: view.getUint16(at, true),
      attributes: view.getUint16(at + 2, true),
      base: Number(view.getBigUint64(at + 8, true)),
    }),
    write(view, { selector, attributes, base }) {
      view.setUint16(at, selector, true)
      view.setUint16(at + 2, attributes, true)
      view.setUint32(at + 4, LIMIT, true)
      view.setBigUint64(at + 8, BigInt(base), true)
    },
  }
}
