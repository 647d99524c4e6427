/**
 * Which guest pages does the firmware ask the VMM to prepare before launch? The SEV metadata of OVMF lists them as
 * sections (edk2 OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm); every VMM measures them in the listed order, or nearly.
 */
import { bytes, layout, u32 } from '../../../bytes/layout.ts'
import { Malformed } from '../../../bytes/malformed.ts'

export type SectionKind = 'SNP_SEC_MEM' | 'SNP_SECRETS' | 'CPUID' | 'SVSM_CAA' | 'SNP_KERNEL_HASHES'

export interface Section {
  readonly kind: SectionKind
  /** Guest physical address of the first byte, page-aligned. */
  readonly gpa: number
  /** Bytes, whole pages. */
  readonly size: number
}

export const PAGE_SIZE = 0x1000

/** The firmware consumes exactly one page of these, and tools differ on what a longer section would mean. */
const ONE_PAGE: ReadonlySet<SectionKind> = new Set(['SNP_SECRETS', 'CPUID', 'SNP_KERNEL_HASHES'])

const kindByCode: ReadonlyMap<number, SectionKind> = new Map([
  [0x01, 'SNP_SEC_MEM'],
  [0x02, 'SNP_SECRETS'],
  [0x03, 'CPUID'],
  [0x04, 'SVSM_CAA'],
  [0x10, 'SNP_KERNEL_HASHES'],
])

/** Real builds declare about 128 KiB; a file that claims gigabytes only wants us to hash for it. */
const MOST_SECTION_BYTES = 64 * 1024 * 1024

const header = layout('metadata', 16, {
  signature: bytes(0, 4),
  size: u32(4),
  version: u32(8),
  sectionCount: u32(12),
})
const descriptor = layout('section', 12, { gpa: u32(0), size: u32(4), kind: u32(8) })

/**
 * The sections in the order in which the firmware lists them. `start` is the offset of the metadata in the image, `top`
 * the guest physical address where the firmware itself begins. Throws Malformed.
 */
export function decodeSections(image: Uint8Array, start: number, top: number): readonly Section[] {
  const path = 'OVMF.metadata'
  const room = image.length - start
  if (start < 0 || room < header.size)
    throw new Malformed(
      { path, offset: Math.max(0, start) },
      `metadata ${room} bytes before the end of ${image.length}`,
      `a place for ${header.size} bytes within the image`,
    )
  const { signature, size, version, sectionCount } = header.decode(
    image.subarray(start, start + header.size),
  )
  if (Buffer.from(signature).toString('latin1') !== 'ASEV' || version !== 1)
    throw new Malformed(
      { path, offset: start },
      `signature ${Buffer.from(signature).toString('hex')}, version ${version}`,
      'signature ASEV (41534556), version 1',
    )
  if (size > room || size !== header.size + sectionCount * descriptor.size)
    throw new Malformed(
      { path: `${path}.size`, offset: start + 4 },
      `${size} bytes for ${sectionCount} sections`,
      `${header.size} bytes and ${descriptor.size} for each section, within the ${room} left`,
    )

  const sections: Section[] = []
  let total = 0
  for (let offset = start + header.size; offset < start + size; offset += descriptor.size) {
    const at = { path: `${path}.section[${sections.length}]`, offset }
    const section = decodeSection(image.subarray(offset, offset + descriptor.size), at, top)
    assertApart(section, sections, at)
    total += section.size
    if (total > MOST_SECTION_BYTES)
      throw new Malformed(at, `${total} bytes in all sections`, `at most ${MOST_SECTION_BYTES}`)
    sections.push(section)
  }
  return sections
}

function decodeSection(stored: Uint8Array, at: Place, top: number): Section {
  const { gpa, size, kind: code } = descriptor.decode(stored)
  const kind = kindByCode.get(code)
  if (kind === undefined)
    throw new Malformed(at, `section type ${code}`, `one of ${[...kindByCode.keys()].join(', ')}`)
  if (gpa % PAGE_SIZE !== 0 || size % PAGE_SIZE !== 0 || size === 0 || gpa + size > top)
    throw new Malformed(at, span({ kind, gpa, size }), `whole pages below ${hex(top)}`)
  if (ONE_PAGE.has(kind) && size !== PAGE_SIZE)
    throw new Malformed(at, span({ kind, gpa, size }), 'one page')
  return { kind, gpa, size }
}

/** The platform refuses to add a page twice (SNP_LAUNCH_UPDATE), so no guest can start from sections that overlap. */
function assertApart(section: Section, others: readonly Section[], at: Place): void {
  for (const other of others) {
    if (section.gpa < other.gpa + other.size && other.gpa < section.gpa + section.size)
      throw new Malformed(
        at,
        `${span(section)} over ${span(other)}`,
        'sections that do not overlap',
      )
    if (section.kind === other.kind && ONE_PAGE.has(section.kind))
      throw new Malformed(at, `a second ${section.kind} section`, 'at most one')
  }
}

type Place = { readonly path: string; readonly offset: number }

function span({ kind, gpa, size }: Section): string {
  return `${kind} ${hex(gpa)} to ${hex(gpa + size)}`
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}
