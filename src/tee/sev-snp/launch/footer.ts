/**
 * Which GUID-marked entries does an OVMF image carry? They stand in a table that ends just below the reset vector and
 * is read backwards: each entry is its data, then a u16 length (data, length and GUID together), then its GUID; the last
 * one, the footer, gives the length of the whole table (edk2 OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm).
 * The file comes from whoever asks for a measurement: every length is compared with what is there before it is used.
 */
import { bytes, layout, u16 } from '../../../bytes/layout.ts'
import { Malformed } from '../../../bytes/malformed.ts'
import { guidText } from './guid.ts'

export interface FooterEntry {
  /** A view of the image. */
  readonly data: Uint8Array
  /** Where `data` starts, in bytes from the start of the image. */
  readonly offset: number
}

const RESET_VECTOR_SIZE = 32
const FOOTER_GUID = '96b582de-1fb2-45f7-baea-a366c55a082d'
const trailer = layout('trailer', 18, { length: u16(0), guid: bytes(2, 16) })

/** The entries by GUID. Throws Malformed when there is no table, or one that does not fit together. */
export function decodeFooter(image: Uint8Array): ReadonlyMap<string, FooterEntry> {
  const end = image.length - RESET_VECTOR_SIZE
  const footer = end < trailer.size ? undefined : trailerBefore(image, end)
  if (footer?.guid !== FOOTER_GUID)
    throw new Malformed(
      { path: 'OVMF.footer', offset: Math.max(0, end - trailer.size) },
      'no OVMF footer table',
      `GUID ${FOOTER_GUID} ahead of the reset vector (is this an AmdSev build of OVMF?)`,
    )

  const start = end - footer.length
  if (footer.length < trailer.size || start < 0)
    throw new Malformed(
      { path: 'OVMF.footer.length', offset: end - trailer.size },
      `${footer.length} bytes`,
      `${trailer.size} to ${end} bytes`,
    )

  const entries = new Map<string, FooterEntry>()
  for (let cursor = end - trailer.size; cursor > start; ) {
    const left = cursor - start
    const entry = left < trailer.size ? undefined : trailerBefore(image, cursor)
    if (entry === undefined || entry.length < trailer.size || entry.length > left)
      throw new Malformed(
        { path: `OVMF.footer[${entries.size}]`, offset: Math.max(start, cursor - trailer.size) },
        entry === undefined ? `${left} bytes left` : `an entry of ${entry.length} bytes`,
        `an entry of ${trailer.size} bytes or more within the ${left} bytes left`,
      )
    // VMMs and measuring tools disagree on which of two equal GUIDs counts, so neither does.
    if (entries.has(entry.guid))
      throw new Malformed(
        { path: `OVMF.footer[${entries.size}]`, offset: cursor - trailer.size },
        `a second entry ${entry.guid}`,
        'each GUID once',
      )
    const offset = cursor - entry.length
    entries.set(entry.guid, { data: image.subarray(offset, cursor - trailer.size), offset })
    cursor = offset
  }
  return entries
}

function trailerBefore(image: Uint8Array, end: number): { length: number; guid: string } {
  const { length, guid } = trailer.decode(image.subarray(end - trailer.size, end))
  return { length, guid: guidText(guid) }
}
