/**
 * The certificate table that the host hands the guest beside a report: GHCB specification (AMD 56421 rev. 2.03),
 * section 4.1.8.1. 24-byte entries of GUID, offset and length; a zero entry ends them. The host wrote all of it:
 * offsets are compared as plain numbers, where a 32-bit sum would wrap, and nothing is read outside the table.
 */
import { isZero, toHex } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import { reader } from '../../bytes/reader.ts'

const ENTRY_SIZE = 24
const LARGEST_TABLE = 64 * 1024
/** GUIDs in the order of their text. The table's ASK entry carries the ASVK when the VEK is a VLEK. */
const certificateGuids: Readonly<Record<string, string>> = {
  '63da758de6644564adc5f4b93be8accd': 'VCEK',
  a8074bc2a25a483eaae639c045a0b8a1: 'VLEK',
  '4ab7b379bbac4fe4a02f05aef327c782': 'ASK',
  c0b406a4a803495297433fb6014cd0ae: 'ARK',
}

/**
 * DER certificates in table order; which is which is decided by the certificates themselves. Entries under other GUIDs
 * are passed over once their bounds hold. Empty bytes are an empty table: a kernel returns them when the host supplied
 * nothing. Throws Malformed.
 */
export function decodeCertificateTable(table: Uint8Array): readonly Uint8Array[] {
  if (table.length === 0) return []
  if (table.length > LARGEST_TABLE)
    throw new Malformed(
      { path: 'certificate table', offset: 0 },
      `${table.length} bytes`,
      `at most ${LARGEST_TABLE} bytes`,
    )
  const entries = entriesOf(table)
  const headerEnd = (entries.length + 1) * ENTRY_SIZE
  const certificates: Uint8Array[] = []
  const seen = new Set<string>()
  for (const { guid, offset, length, at } of entries) {
    const name = certificateGuids[guid] ?? guid
    const where = { path: `certificate table.${name}`, offset: at }
    if (seen.has(guid)) throw new Malformed(where, 'a second entry', 'one entry per GUID')
    seen.add(guid)
    if (length === 0) throw new Malformed(where, 'length 0', 'a certificate')
    if (offset < headerEnd || offset > table.length || length > table.length - offset)
      throw new Malformed(
        where,
        `offset ${offset} and length ${length}`,
        `a span within ${headerEnd} and ${table.length}`,
      )
    if (certificateGuids[guid]) certificates.push(table.subarray(offset, offset + length))
  }
  return certificates
}

interface Entry {
  readonly guid: string
  readonly offset: number
  readonly length: number
  readonly at: number
}

function entriesOf(table: Uint8Array): readonly Entry[] {
  const cursor = reader(table, 'certificate table')
  const entries: Entry[] = []
  for (;;) {
    const at = cursor.offset
    if (cursor.left < ENTRY_SIZE)
      throw new Malformed(
        { path: 'certificate table', offset: at },
        'no terminating entry',
        'a zero entry',
      )
    const guid = cursor.bytes('guid', 16)
    const offset = cursor.u32('offset')
    const length = cursor.u32('length')
    if (isZero(guid) && offset === 0 && length === 0) return entries
    entries.push({ guid: toHex(guid), offset, length, at })
  }
}
