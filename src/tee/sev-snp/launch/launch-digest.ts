/**
 * How does the platform add up a launch? Each page that the VMM hands over becomes one PAGE_INFO, which contains the
 * digest so far; its SHA-384 is the next digest (AMD 56860, SEV-SNP firmware ABI, section 8.17.2, table 67). So order,
 * address and kind of every page count, not only its bytes.
 */
import { hash } from 'node:crypto'
import { bytes, layout, u8, u16, u64, zero } from '../../../bytes/layout.ts'

/** PAGE_TYPE of SNP_LAUNCH_UPDATE. */
export const pageType = {
  normal: 1,
  vmsa: 2,
  zero: 3,
  unmeasured: 4,
  secrets: 5,
  cpuid: 6,
} as const

export interface Page {
  readonly type: (typeof pageType)[keyof typeof pageType]
  /** Guest physical address. */
  readonly gpa: number
  /** SHA-384 of the page, for normal and VMSA pages; of the others the platform measures only kind and address. */
  readonly contents?: Uint8Array
}

const DIGEST_SIZE = 48

const pageInfo = layout('PAGE_INFO', 0x70, {
  digestSoFar: bytes(0x00, DIGEST_SIZE),
  contents: bytes(0x30, DIGEST_SIZE),
  length: u16(0x60),
  type: u8(0x62),
  // Not part of an initial migration image, and nothing granted to VMPL 1 to 3: no VMM measured here uses either.
  imiAndVmplPermissions: zero(0x63, 5),
  gpa: u64(0x68),
})

/** The 48-byte digest after these pages, starting from zeros as every launch does. */
export function launchDigest(pages: Iterable<Page>): Uint8Array {
  const unmeasured = new Uint8Array(DIGEST_SIZE)
  let digestSoFar = new Uint8Array(DIGEST_SIZE)
  for (const { type, gpa, contents = unmeasured } of pages) {
    const info = { digestSoFar, contents, length: pageInfo.size, type, gpa: BigInt(gpa) }
    digestSoFar = sha384(pageInfo.encode(info))
  }
  return digestSoFar
}

export function sha384(content: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hash('sha384', content, 'buffer'))
}
