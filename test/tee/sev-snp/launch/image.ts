/**
 * A small image with the footer and SEV metadata of an AmdSev build: three pages of 0x5a and what a case replaces. Written
 * from edk2's assembler sources with its own offsets, so that it shares nothing with the parser under test.
 */

export interface ImageParts {
  /** gpa, size, type code */
  readonly sections?: readonly (readonly [number, number, number])[]
  /** GUID as stored, in hex -> data, first entry nearest to the reset vector. */
  readonly entries?: readonly (readonly [string, Uint8Array])[]
}

export const stored = {
  footer: 'de82b596b21ff745baeaa366c55a082d',
  resetBlock: 'de71f7007e1acb4f890e68c77e2fb44e',
  hashTable: '1f3755723b3a044b927b1da6efa8d454',
  metadata: '666588dc4a989847a75e5585a7bf67cc',
}

export const amdSevSections = [
  [0x800000, 0x9000, 1],
  [0x80d000, 0x1000, 2],
  [0x80e000, 0x1000, 3],
  [0x80f000, 0x1000, 4],
  [0x810000, 0x1000, 0x10],
  [0x811000, 0x3000, 1],
] as const

/** Offset of the metadata in the image. */
export const METADATA_AT = 0x2800

const SIZE = 0x3000
const FOOTER_END = SIZE - 32

export const amdSevEntries: NonNullable<ImageParts['entries']> = [
  [stored.metadata, u32s(SIZE - METADATA_AT)],
  [stored.hashTable, u32s(0x810c00, 0x400)],
  [stored.resetBlock, u32s(0x0080b004)],
]

export function image(parts: ImageParts = {}): Uint8Array {
  const { sections = amdSevSections, entries = amdSevEntries } = parts
  const bytes = new Uint8Array(SIZE).fill(0x5a)
  const metadata = [0x56455341, 16 + 12 * sections.length, 1, sections.length, ...sections.flat()]
  bytes.set(u32s(...metadata), METADATA_AT)

  const table = entries
    .toReversed()
    .flatMap(([guid, data]) => [...data, ...marked(guid, data.length)])
  const footer = [...table, ...marked(stored.footer, table.length)]
  bytes.set(footer, FOOTER_END - footer.length)
  return bytes
}

/** The same image with these bytes over it. */
export function patched(at: number, ...values: number[]): Uint8Array {
  const bytes = image()
  bytes.set(values, at)
  return bytes
}

export function u32s(...values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4)
  return new Uint8Array(bytes)
}

function marked(guid: string, dataLength: number): number[] {
  const length = dataLength + 18
  return [length & 0xff, length >> 8, ...Buffer.from(guid, 'hex')]
}
