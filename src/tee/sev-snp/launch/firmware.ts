/** What does an OVMF image say about its own launch: where it is mapped, where vCPUs start, which pages it needs? */
import { layout, u32 } from '../../../bytes/layout.ts'
import { hexOffset, Malformed } from '../../../bytes/malformed.ts'
import { decodeFooter, type FooterEntry } from './footer.ts'
import { HASH_TABLE_SIZE } from './kernel-hashes.ts'
import { decodeSections, PAGE_SIZE, type Section } from './sections.ts'

export interface Firmware {
  readonly image: Uint8Array
  /** Guest physical address of its first byte: the image ends at 4 GiB. */
  readonly gpa: number
  /** Where every vCPU but the first starts (SEV-ES reset block); never zero. */
  readonly apResetAddress: number
  readonly sections: readonly Section[]
  /** Where in the SNP_KERNEL_HASHES section the VMM puts its table; undefined when the firmware measures no kernel. */
  readonly hashTable: { readonly section: Section; readonly offset: number } | undefined
}

const FOUR_GIB = 0x1_0000_0000
/** QEMU takes no more (`max-fw-size`): below that lie the local APIC and other devices. */
const MOST_IMAGE_BYTES = 16 * 1024 * 1024

const RESET_BLOCK = '00f771de-1a7e-4fcb-890e-68c77e2fb44e'
const SEV_METADATA = 'dc886566-984a-4798-a75e-5585a7bf67cc'
const HASH_TABLE = '7255371f-3a3b-4b04-927b-1da6efa8d454'

const resetBlock = layout('reset block', 4, { address: u32(0) })
const metadataPointer = layout('metadata pointer', 4, { bytesBeforeEnd: u32(0) })
const hashTableArea = layout('hash table area', 8, { gpa: u32(0), size: u32(4) })

/** Throws Malformed, also for what can be read but not launched: pages that overlap, vCPUs that start nowhere. */
export function decodeFirmware(image: Uint8Array): Firmware {
  if (image.length === 0 || image.length % PAGE_SIZE !== 0 || image.length > MOST_IMAGE_BYTES)
    throw new Malformed(
      { path: 'OVMF', offset: 0 },
      `${image.length} bytes`,
      `1 to ${MOST_IMAGE_BYTES / PAGE_SIZE} whole pages of ${PAGE_SIZE} bytes`,
    )
  const gpa = FOUR_GIB - image.length
  const footer = decodeFooter(image)

  const reset = required(footer, 'resetBlock', RESET_BLOCK, image)
  const apResetAddress = decodeEntry(resetBlock, 'resetBlock', reset).address
  if (apResetAddress === 0)
    throw new Malformed(
      { path: 'OVMF.footer.resetBlock', offset: reset.offset },
      'reset address 0',
      'the address where vCPUs start',
    )

  const pointer = required(footer, 'metadata', SEV_METADATA, image)
  const { bytesBeforeEnd } = decodeEntry(metadataPointer, 'metadata', pointer)
  const sections = decodeSections(image, image.length - bytesBeforeEnd, gpa)
  return {
    image,
    gpa,
    apResetAddress,
    sections,
    hashTable: locateHashTable(footer.get(HASH_TABLE), sections),
  }
}

/**
 * Builds that measure no kernel (OvmfPkgX64, Debian's ovmf, EC2's) carry the area as zeros and no section for it. A table
 * outside the section would be written by the VMM and never measured.
 */
function locateHashTable(
  entry: FooterEntry | undefined,
  sections: readonly Section[],
): Firmware['hashTable'] {
  const section = sections.find(({ kind }) => kind === 'SNP_KERNEL_HASHES')
  if (entry === undefined || section === undefined) return undefined
  const { gpa, size } = decodeEntry(hashTableArea, 'hashTable', entry)
  const offset = gpa - section.gpa
  if (size < HASH_TABLE_SIZE || offset < 0 || offset + HASH_TABLE_SIZE > section.size)
    throw new Malformed(
      { path: 'OVMF.footer.hashTable', offset: entry.offset },
      `${size} bytes at ${hexOffset(gpa)}`,
      `${HASH_TABLE_SIZE} bytes or more within the SNP_KERNEL_HASHES page at ${hexOffset(section.gpa)}`,
    )
  return { section, offset }
}

function required(
  footer: ReadonlyMap<string, FooterEntry>,
  name: string,
  guid: string,
  image: Uint8Array,
): FooterEntry {
  const entry = footer.get(guid)
  if (entry === undefined)
    throw new Malformed(
      { path: `OVMF.footer.${name}`, offset: image.length },
      'no such entry',
      `GUID ${guid} (was this firmware built with SEV-SNP support?)`,
    )
  return entry
}

function decodeEntry<T>(
  shape: { readonly size: number; readonly decode: (stored: Uint8Array) => T },
  name: string,
  { data, offset }: FooterEntry,
): T {
  if (data.length !== shape.size)
    throw new Malformed(
      { path: `OVMF.footer.${name}`, offset },
      `${data.length} bytes`,
      `${shape.size} bytes`,
    )
  return shape.decode(data)
}
