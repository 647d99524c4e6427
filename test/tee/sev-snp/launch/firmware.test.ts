/** Is every firmware image that no VMM could launch refused as Malformed, at the field that is wrong? */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Malformed } from '../../../../src/bytes/malformed.ts'
import { decodeFirmware } from '../../../../src/tee/sev-snp/launch/firmware.ts'
import { guidBytes, guidText } from '../../../../src/tee/sev-snp/launch/guid.ts'
import {
  amdSevEntries,
  amdSevSections,
  image,
  METADATA_AT,
  patched,
  stored,
  u32s,
} from './image.ts'

const AP_TRAILER_AT = 0x2f8c
const FOOTER_AT = 0x2fce

it('reads where the image lies, where vCPUs start, which pages are needed and where hashes go', () => {
  expect(decodeFirmware(image())).toMatchObject({
    gpa: 0xffff_d000,
    apResetAddress: 0x0080_b004,
    sections: [
      { kind: 'SNP_SEC_MEM', gpa: 0x80_0000, size: 0x9000 },
      { kind: 'SNP_SECRETS', gpa: 0x80_d000, size: 0x1000 },
      { kind: 'CPUID', gpa: 0x80_e000, size: 0x1000 },
      { kind: 'SVSM_CAA', gpa: 0x80_f000, size: 0x1000 },
      { kind: 'SNP_KERNEL_HASHES', gpa: 0x81_0000, size: 0x1000 },
      { kind: 'SNP_SEC_MEM', gpa: 0x81_1000, size: 0x3000 },
    ],
    hashTable: { section: { gpa: 0x81_0000 }, offset: 0xc00 },
  })
})

it('takes a hash area of zeros as measuring no kernel when no section asks for one, as OvmfPkgX64 builds have it', () => {
  const parts = {
    sections: amdSevSections.filter(([, , type]) => type !== 0x10),
    entries: replaced(stored.hashTable, new Uint8Array(8)),
  }
  expect(decodeFirmware(image(parts)).hashTable).toBeUndefined()
})

describe('refuses', () => {
  it.each<[string, Uint8Array, string, number]>([
    ['an empty file', new Uint8Array(), 'OVMF', 0],
    ['part of a page', image().subarray(1), 'OVMF', 0],
    ['more than 16 MiB', new Uint8Array(0x1001000), 'OVMF', 0],
    ['a file without a footer', new Uint8Array(0x1000), 'OVMF.footer', 0xfce],
    ['a footer of another GUID', patched(FOOTER_AT + 2, 0), 'OVMF.footer', FOOTER_AT],
    ['a table shorter than its footer', patched(FOOTER_AT, 17, 0), 'OVMF.footer.length', FOOTER_AT],
    [
      'a table longer than the file',
      patched(FOOTER_AT, 0xff, 0xff),
      'OVMF.footer.length',
      FOOTER_AT,
    ],
    ['a table that cuts an entry', patched(FOOTER_AT, 87, 0), 'OVMF.footer[2]', AP_TRAILER_AT],
    ['a table with bytes left over', patched(FOOTER_AT, 91, 0), 'OVMF.footer[3]', 0x2f85],
    [
      'an entry shorter than its trailer',
      patched(AP_TRAILER_AT, 17),
      'OVMF.footer[2]',
      AP_TRAILER_AT,
    ],
    ['an entry of length zero', patched(AP_TRAILER_AT, 0), 'OVMF.footer[2]', AP_TRAILER_AT],
    [
      'the same GUID twice',
      image({ entries: [...amdSevEntries, [stored.resetBlock, u32s(1)]] }),
      'OVMF.footer[3]',
      0x2f76,
    ],
    [
      'no reset block',
      image({ entries: without(stored.resetBlock) }),
      'OVMF.footer.resetBlock',
      0x3000,
    ],
    [
      'a reset block of 8 bytes',
      image({ entries: replaced(stored.resetBlock, u32s(1, 2)) }),
      'OVMF.footer.resetBlock',
      0x2f84,
    ],
    [
      'vCPUs that start nowhere',
      image({ entries: replaced(stored.resetBlock, u32s(0)) }),
      'OVMF.footer.resetBlock',
      0x2f88,
    ],
    [
      'no SEV metadata',
      image({ entries: without(stored.metadata) }),
      'OVMF.footer.metadata',
      0x3000,
    ],
    ['metadata before the image', image({ entries: metadataAt(0x3001) }), 'OVMF.metadata', 0],
    ['metadata after the image', image({ entries: metadataAt(0) }), 'OVMF.metadata', 0x3000],
    ['metadata cut by the end', image({ entries: metadataAt(15) }), 'OVMF.metadata', 0x2ff1],
    ['another metadata signature', patched(METADATA_AT, 0), 'OVMF.metadata', METADATA_AT],
    ['another metadata version', patched(METADATA_AT + 8, 2), 'OVMF.metadata', METADATA_AT],
    [
      'a section more than the metadata holds',
      patched(METADATA_AT + 12, 7),
      'OVMF.metadata.size',
      METADATA_AT + 4,
    ],
    [
      'three hundred sections in room for 169',
      patched(METADATA_AT + 4, ...u32s(16 + 12 * 300, 1, 300)),
      'OVMF.metadata.size',
      METADATA_AT + 4,
    ],
    [
      'four billion sections',
      patched(METADATA_AT + 4, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff),
      'OVMF.metadata.size',
      METADATA_AT + 4,
    ],
    [
      'a section type nobody knows',
      withSection(0x900000, 0x1000, 5),
      'OVMF.metadata.section[0]',
      0x2810,
    ],
    [
      'a section that starts within a page',
      withSection(0x900800, 0x1000, 1),
      'OVMF.metadata.section[0]',
      0x2810,
    ],
    [
      'a section that ends within a page',
      withSection(0x900000, 0x1800, 1),
      'OVMF.metadata.section[0]',
      0x2810,
    ],
    ['a section of no pages', withSection(0x900000, 0, 1), 'OVMF.metadata.section[0]', 0x2810],
    [
      'a section over the firmware',
      withSection(0xffffd000, 0x1000, 1),
      'OVMF.metadata.section[0]',
      0x2810,
    ],
    [
      'a section past 4 GiB',
      withSection(0xfffff000, 0xfffff000, 1),
      'OVMF.metadata.section[0]',
      0x2810,
    ],
    [
      'two secrets pages in a section',
      withSection(0x900000, 0x2000, 2),
      'OVMF.metadata.section[0]',
      0x2810,
    ],
    [
      'two CPUID pages in a section',
      withSection(0x900000, 0x2000, 3),
      'OVMF.metadata.section[0]',
      0x2810,
    ],
    [
      'a second CPUID section',
      withSection(0x900000, 0x1000, 3),
      'OVMF.metadata.section[3]',
      0x2834,
    ],
    ['sections that overlap', withSection(0x810000, 0x2000, 1), 'OVMF.metadata.section[5]', 0x284c],
    [
      'a section within another',
      withSection(0x700000, 0x200000, 1),
      'OVMF.metadata.section[1]',
      0x281c,
    ],
    ['64 MiB to hash', withSection(0x1000000, 0x4000000, 1), 'OVMF.metadata.section[1]', 0x281c],
    ['a hash table below its page', hashTableAt(0x80fff0, 0x400), 'OVMF.footer.hashTable', 0x2f9e],
    [
      'a hash table over the end of its page',
      hashTableAt(0x810f51, 0x400),
      'OVMF.footer.hashTable',
      0x2f9e,
    ],
    [
      'room for less than a hash table',
      hashTableAt(0x810c00, 0xaf),
      'OVMF.footer.hashTable',
      0x2f9e,
    ],
    [
      'a hash table nowhere, with a section for it',
      hashTableAt(0, 0),
      'OVMF.footer.hashTable',
      0x2f9e,
    ],
  ])('%s', (_, bytes, path, offset) => {
    expect(malformed(() => decodeFirmware(bytes))).toMatchObject({ path, offset })
  })

  it('a hash table that just fits is not refused', () => {
    expect(decodeFirmware(hashTableAt(0x810f50, 0xb0)).hashTable?.offset).toBe(0xf50)
  })

  it('bytes left over in the table, and says how many', () => {
    expect(() => decodeFirmware(patched(FOOTER_AT, 91, 0))).toThrow(/found 3 bytes left/)
  })

  it('what is no firmware with a question that helps', () => {
    expect(() => decodeFirmware(new Uint8Array(0x1000))).toThrow(
      /no OVMF footer table.*is this an AmdSev build of OVMF\?/,
    )
  })
})

describe('whatever the bytes, it throws nothing but Malformed', () => {
  it('in arbitrary pages', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0x1000, maxLength: 0x1000 }), (bytes) => {
        surviving(bytes)
      }),
      { numRuns: 100 },
    )
  })

  it('in images with a few bytes changed where the parser looks', () => {
    const offsets = fc.oneof(
      fc.integer({ min: METADATA_AT, max: METADATA_AT + 88 }),
      fc.integer({ min: 0x2f88, max: 0x2fdf }),
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(offsets, fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        (changes) => {
          const bytes = image()
          for (const [at, value] of changes) bytes[at] = value
          surviving(bytes)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

it('GUIDs keep their spelling through EFI byte order', () => {
  const text = '96b582de-1fb2-45f7-baea-a366c55a082d'
  expect(Buffer.from(guidBytes(text)).toString('hex')).toBe(stored.footer)
  expect(guidText(guidBytes(text))).toBe(text)
})

function surviving(bytes: Uint8Array): void {
  try {
    decodeFirmware(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(Malformed)
  }
}

function malformed(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(Malformed)
    return error
  }
  throw new Error('nothing was refused')
}

function without(guid: string): typeof amdSevEntries {
  return amdSevEntries.filter(([name]) => name !== guid)
}

function replaced(guid: string, data: Uint8Array): typeof amdSevEntries {
  return amdSevEntries.map(([name, old]) => [name, name === guid ? data : old])
}

function metadataAt(bytesBeforeEnd: number): typeof amdSevEntries {
  return replaced(stored.metadata, u32s(bytesBeforeEnd))
}

function hashTableAt(gpa: number, size: number): Uint8Array {
  return image({ entries: replaced(stored.hashTable, u32s(gpa, size)) })
}

/** One section ahead of the usual ones. */
function withSection(gpa: number, size: number, type: number): Uint8Array {
  return image({ sections: [[gpa, size, type], ...amdSevSections] })
}
