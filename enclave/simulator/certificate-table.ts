/** The GHCB certificate table that a host puts beside a report, right or wrong: AMD 56421 rev. 2.03 section 4.1.8.1. */
import { concat, fromHex } from '../../src/bytes/encoding.ts'

/** GUIDs as bytes in the order of their text, hex. The ASVK goes under `ask`. */
export const tableGuids = {
  vcek: '63da758de6644564adc5f4b93be8accd',
  vlek: 'a8074bc2a25a483eaae639c045a0b8a1',
  ask: '4ab7b379bbac4fe4a02f05aef327c782',
  ark: 'c0b406a4a803495297433fb6014cd0ae',
} as const

export interface TableEntry {
  /** One of `tableGuids`, or any 32 hex digits. */
  readonly guid: string
  readonly certificate: Uint8Array
  /** What the entry claims instead of the truth. */
  readonly offset?: number
  readonly length?: number
}

const ENTRY_SIZE = 24

/** `terminator` undefined writes the zero entry that ends the list; an empty one leaves it out. */
export function certificateTable(
  entries: readonly TableEntry[],
  terminator: Uint8Array = new Uint8Array(ENTRY_SIZE),
): Uint8Array {
  let offset = entries.length * ENTRY_SIZE + terminator.length
  const heads: Uint8Array[] = []
  for (const entry of entries) {
    heads.push(headOf(entry, offset))
    offset += entry.certificate.length
  }
  return concat(...heads, terminator, ...entries.map(({ certificate }) => certificate))
}

function headOf({ guid, certificate, ...claimed }: TableEntry, offset: number): Uint8Array {
  const bytes = fromHex(guid)
  if (bytes?.length !== 16) throw new TypeError(`${guid} is not 16 bytes of hex`)
  const head = concat(bytes, new Uint8Array(8))
  const view = new DataView(head.buffer)
  view.setUint32(16, claimed.offset ?? offset, true)
  view.setUint32(20, claimed.length ?? certificate.length, true)
  return head
}
