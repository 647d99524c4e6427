/**
 * Which MEASUREMENT will an SEV-SNP guest report, given what it is launched from? Recomputed from the firmware, the
 * direct-boot files and the shape of the virtual machine, so that a reference value can be derived from sources
 * instead of copied from a running machine. Not for guests behind an SVSM, whose VMM measures other pages.
 */
import { decodeFirmware, type Firmware } from './firmware.ts'
import { type DirectBoot, encodeHashTable } from './kernel-hashes.ts'
import { launchDigest, type Page, pageType, sha384 } from './launch-digest.ts'
import { PAGE_SIZE, type Section } from './sections.ts'
import { vcpuTypes } from './vcpu-types.ts'
import { type Vmm, type VmmName, vmms } from './vmm.ts'
import { encodeVmsa } from './vmsa.ts'

export { vcpuTypes } from './vcpu-types.ts'

export interface LaunchOptions {
  /** The firmware image as the VMM maps it below 4 GiB: whole pages, at most 16 MiB. */
  readonly ovmf: Uint8Array
  /** vCPUs at launch, 1 to 4096. A guest that was started with another number has another measurement. */
  readonly vcpus: number
  /** A name in `vcpuTypes`. QEMU measures it; EC2 and GCE start every vCPU alike, and may leave it out. */
  readonly vcpuType?: string | undefined
  readonly vmm: VmmName
  /** Present means `kernel-hashes=on`, even when it is empty; absent means that nothing about a kernel is measured. */
  readonly kernel?: Uint8Array | undefined
  readonly initrd?: Uint8Array | undefined
  /** The kernel command line, without a NUL. */
  readonly append?: string | undefined
  /** SEV_FEATURES of every vCPU, 64 bits; 0x1 unless the host turns more on. */
  readonly guestFeatures: bigint
}

/** The options cannot be measured as asked; the message says what to do, to the person who asked. */
export class NotMeasurable extends Error {
  override readonly name = 'NotMeasurable'
}

/** VMSA pages are handed over at the last page that 48 address bits reach (KVM: INITIAL_VMSA_GPA). */
const VMSA_GPA = 0xffff_ffff_f000
/** The reset vector: 16 bytes below 4 GiB. */
const BOOT_ADDRESS = 0xffff_fff0
/** KVM_MAX_VCPUS. */
const MOST_VCPUS = 4096

/**
 * The 48-byte launch measurement. Throws Malformed for a firmware image that no VMM could launch, NotMeasurable for
 * options that do not fit.
 */
export function measureLaunch(options: LaunchOptions): Uint8Array {
  const { vcpus, guestFeatures } = options
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > MOST_VCPUS)
    throw new NotMeasurable(`A guest has 1 to ${MOST_VCPUS} vCPUs, not ${vcpus}.`)
  if (BigInt.asUintN(64, guestFeatures) !== guestFeatures)
    throw new NotMeasurable(`Guest features are 64 bits, which ${guestFeatures} does not fit.`)
  const vmm = vmms[options.vmm]
  const rdx = rdxAtReset(vmm, options.vcpuType)
  const boot = directBoot(options)
  const firmware = decodeFirmware(options.ovmf)
  if (boot !== undefined && firmware.hashTable === undefined)
    throw new NotMeasurable(
      'This firmware has no SNP_KERNEL_HASHES section, so the kernel would not be measured (aws/uefi#20): ' +
        'use an AmdSev build of OVMF, or leave the kernel out and trust nothing that this measurement says about it.',
    )

  return launchDigest(launchPages())

  function* launchPages(): Iterable<Page> {
    yield* imagePages(firmware)
    yield* sectionPages(firmware, vmm, boot)
    const start = { vmm, rdx, guestFeatures }
    const { bootVcpu, otherVcpus } = vmm.csAttributes
    yield vmsaPage(encodeVmsa({ ...start, csAttributes: bootVcpu, address: BOOT_ADDRESS }))
    const other = vmsaPage(
      encodeVmsa({ ...start, csAttributes: otherVcpus, address: firmware.apResetAddress }),
    )
    for (let vcpu = 1; vcpu < vcpus; vcpu++) yield other
  }
}

/**
 * The 48-byte digest of the firmware's own pages: where every launch of it begins, not what any guest reports.
 * Throws Malformed as measureLaunch does.
 */
export function measureOvmf(ovmf: Uint8Array): Uint8Array {
  return launchDigest(imagePages(decodeFirmware(ovmf)))
}

function rdxAtReset(vmm: Vmm, vcpuType: string | undefined): number {
  const signature = vcpuType === undefined ? undefined : vcpuTypes.get(vcpuType)
  if (vcpuType !== undefined && signature === undefined)
    throw new NotMeasurable(
      `Unknown vCPU type ${JSON.stringify(vcpuType)}. Known: ${[...vcpuTypes.keys()].join(', ')}.`,
    )
  if (vmm.rdx !== 'vcpu-signature') return vmm.rdx
  if (signature === undefined)
    throw new NotMeasurable(
      `QEMU measures the vCPU type, and none was given. Known: ${[...vcpuTypes.keys()].join(', ')}.`,
    )
  return signature
}

function directBoot({ kernel, initrd, append }: LaunchOptions): DirectBoot | undefined {
  if (append?.includes('\0'))
    throw new NotMeasurable('The command line contains a NUL, where the kernel would stop reading.')
  if (kernel !== undefined)
    return { kernel, initrd: initrd ?? new Uint8Array(), append: append ?? '' }
  if (initrd !== undefined || append !== undefined)
    throw new NotMeasurable(
      'An initrd or a command line is measured only together with a kernel, and none was given.',
    )
  return undefined
}

function* imagePages({ image, gpa }: Firmware): Iterable<Page> {
  for (let offset = 0; offset < image.length; offset += PAGE_SIZE) {
    const contents = sha384(image.subarray(offset, offset + PAGE_SIZE))
    yield { type: pageType.normal, gpa: gpa + offset, contents }
  }
}

function* sectionPages(
  { sections, hashTable }: Firmware,
  vmm: Vmm,
  boot: DirectBoot | undefined,
): Iterable<Page> {
  const listed = vmm.cpuidLast ? sections.toSorted(byCpuidLast) : sections
  for (const section of listed) {
    if (boot !== undefined && section === hashTable?.section) {
      const page = new Uint8Array(section.size)
      page.set(encodeHashTable(boot), hashTable.offset)
      yield { type: pageType.normal, gpa: section.gpa, contents: sha384(page) }
      continue
    }
    const type = typeWithoutContents(section, vmm)
    for (let offset = 0; offset < section.size; offset += PAGE_SIZE)
      yield { type, gpa: section.gpa + offset }
  }
}

function typeWithoutContents({ kind }: Section, vmm: Vmm): Page['type'] {
  switch (kind) {
    case 'SNP_SEC_MEM':
      return vmm.secMem
    case 'SNP_SECRETS':
      return pageType.secrets
    case 'CPUID':
      return pageType.cpuid
    case 'SVSM_CAA':
    case 'SNP_KERNEL_HASHES':
      return pageType.zero
  }
}

/** Keeps the order of the rest: sorting is stable. */
function byCpuidLast(a: Section, b: Section): number {
  return Number(a.kind === 'CPUID') - Number(b.kind === 'CPUID')
}

function vmsaPage(page: Uint8Array): Page {
  return { type: pageType.vmsa, gpa: VMSA_GPA, contents: sha384(page) }
}
