/**
 * How do VMMs differ in what they hand over at launch? One row per VMM; measuring receives the row, never the name.
 *
 * QEMU: on Linux 6.10 or later (KVM_SEV_INIT2; before it MXCSR and FCW were zero).
 * EC2: virtee/sev-snp-measure #13 and #60, matched with a real c6a.xlarge; guests launched before the spring of 2026 may
 * have started with RDX 0 and then measure otherwise.
 * GCE: google/gce-tcb-verifier, sev/ld_from_ovmf.go, for Milan machines (it places VMSA pages higher on later ones).
 */
import { pageType } from './launch-digest.ts'

export interface Vmm {
  /** Segment attributes, as the VMSA stores them. Only EC2 leaves the first vCPU's code segment not yet accessed. */
  readonly csAttributes: { readonly bootVcpu: number; readonly otherVcpus: number }
  readonly ssAttributes: number
  readonly trAttributes: number
  /** The page attribute table MSR. */
  readonly pat: bigint
  /** RDX at reset: the vCPU model's CPUID signature, or one value for every machine. */
  readonly rdx: 'vcpu-signature' | number
  readonly mxcsr: number
  readonly fpuControlWord: number
  /** SNP_SEC_MEM pages are handed over zeroed, or left out of the measurement. */
  readonly secMem: typeof pageType.zero | typeof pageType.unmeasured
  /** The CPUID page comes after every other section, not at its place in the list. */
  readonly cpuidLast: boolean
}

export type VmmName = 'QEMU' | 'ec2' | 'gce'

export const vmms: Readonly<Record<VmmName, Vmm>> = {
  QEMU: {
    csAttributes: { bootVcpu: 0x9b, otherVcpus: 0x9b },
    ssAttributes: 0x93,
    trAttributes: 0x8b,
    pat: 0x0007_0406_0007_0406n,
    rdx: 'vcpu-signature',
    mxcsr: 0x1f80,
    fpuControlWord: 0x37f,
    secMem: pageType.zero,
    cpuidLast: false,
  },
  ec2: {
    csAttributes: { bootVcpu: 0x9a, otherVcpus: 0x9b },
    ssAttributes: 0x92,
    trAttributes: 0x83,
    pat: 0x0007_0406_0007_0406n,
    rdx: 0x600,
    mxcsr: 0,
    fpuControlWord: 0,
    secMem: pageType.zero,
    cpuidLast: true,
  },
  gce: {
    csAttributes: { bootVcpu: 0x9b, otherVcpus: 0x9b },
    ssAttributes: 0x93,
    trAttributes: 0x8b,
    pat: 0x0007_0106n,
    rdx: 0x600,
    mxcsr: 0,
    fpuControlWord: 0,
    secMem: pageType.unmeasured,
    cpuidLast: false,
  },
}
