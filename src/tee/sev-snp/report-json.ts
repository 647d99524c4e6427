/**
 * From the JSON in which the stock Key Broker client sends a report back to the 1184 bytes that were signed. The one exception
 * to "received bytes, never re-encoded ones", since the protocol has no others: so every member must read back from the bytes
 * exactly as it came, nothing unknown may stand beside them, and the signature is then over bytes that say all of it.
 *
 * The client's library (the Rust crate sev) wrote different shapes over the years: firmware versions as objects or as single
 * members, reserved bytes named or not, TCBs with and without `fmc`. All of them are rows below.
 */
import { Malformed } from '../../bytes/malformed.ts'
import {
  bytesRow,
  type ExactJson,
  integer,
  isList,
  type JsonRow,
  objectOf,
  optional,
  parts,
  reserved,
} from './json-rows.ts'
import { REPORT_SIZE } from './report.ts'

/** Throws Malformed, with the path of the member below `attestation_report`. */
export function reportOfJson(json: ExactJson): Uint8Array {
  const members = objectOf(json, REPORT)
  const bytes = new Uint8Array(REPORT_SIZE)
  const view = new DataView(bytes.buffer)
  const entries = Object.entries(members).map(([name, value]) => {
    const path = `${REPORT}.${name}`
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined
    if (!row) throw new Malformed({ path, offset: 0 }, 'an unknown member', 'a field of a report')
    return { row, value, path }
  })
  for (const name of needed)
    if (!Object.hasOwn(members, name))
      throw new Malformed(
        { path: `${REPORT}.${name}`, offset: 0 },
        'nothing',
        'a field of a report',
      )
  for (const { row, value, path } of entries) row.write(view, value, path)
  // Two members that say different things about one byte would otherwise be two readings of one report.
  for (const { row, value, path } of entries)
    if (!same(row.read(view, value), value))
      throw new Malformed(
        { path, offset: 0 },
        'bytes that read back differently',
        'a byte-exact round trip',
      )
  return bytes
}

const REPORT = 'attestation_report'

/** TCB_VERSION: a number at `fmc` says that it is Turin's, which orders the bytes differently (AMD 57230 section 1.5). */
function tcb(at: number): JsonRow {
  const byte = (place: number) => integer(at + place, 1)
  const turin = {
    fmc: byte(0),
    bootloader: byte(1),
    tee: byte(2),
    snp: byte(3),
    microcode: byte(7),
  }
  const before = {
    fmc: absent,
    bootloader: byte(0),
    tee: byte(1),
    _reserved: bytesRow(at + 2, 4),
    snp: byte(6),
    microcode: byte(7),
  }
  return parts(({ fmc }) => (fmc === undefined || fmc === null ? before : turin))
}

const absent: JsonRow = { write() {}, read: () => null }

function firmware(at: number): JsonRow {
  return parts(() => ({
    build: integer(at, 1),
    minor: integer(at + 1, 1),
    major: integer(at + 2, 1),
  }))
}

/** Member to its place (AMD 56860 rev. 1.58 table 23), in every shape. */
const rows: Readonly<Record<string, JsonRow>> = {
  version: integer(0x000, 4),
  guest_svn: integer(0x004, 4),
  policy: integer(0x008, 8),
  family_id: bytesRow(0x010, 16),
  image_id: bytesRow(0x020, 16),
  vmpl: integer(0x030, 4),
  sig_algo: integer(0x034, 4),
  current_tcb: tcb(0x038),
  plat_info: integer(0x040, 8),
  key_info: integer(0x048, 4),
  _author_key_en: integer(0x048, 4),
  _reserved_0: integer(0x04c, 4),
  report_data: bytesRow(0x050, 64),
  measurement: bytesRow(0x090, 48),
  host_data: bytesRow(0x0c0, 32),
  id_key_digest: bytesRow(0x0e0, 48),
  author_key_digest: bytesRow(0x110, 48),
  report_id: bytesRow(0x140, 32),
  report_id_ma: bytesRow(0x160, 32),
  reported_tcb: tcb(0x180),
  cpuid_fam_id: optional(0x188, 1),
  cpuid_mod_id: optional(0x189, 1),
  cpuid_step: optional(0x18a, 1),
  _reserved_1: reserved([0x188, 24], [0x18b, 21]),
  chip_id: bytesRow(0x1a0, 64),
  committed_tcb: tcb(0x1e0),
  current: firmware(0x1e8),
  current_build: integer(0x1e8, 1),
  current_minor: integer(0x1e9, 1),
  current_major: integer(0x1ea, 1),
  _reserved_2: integer(0x1eb, 1),
  committed: firmware(0x1ec),
  committed_build: integer(0x1ec, 1),
  committed_minor: integer(0x1ed, 1),
  committed_major: integer(0x1ee, 1),
  _reserved_3: integer(0x1ef, 1),
  launch_tcb: tcb(0x1f0),
  launch_mit_vector: optional(0x1f8, 8),
  current_mit_vector: optional(0x200, 8),
  _reserved_4: reserved([0x1f8, 168], [0x208, 152]),
  signature: parts(() => ({
    r: bytesRow(0x2a0, 72),
    s: bytesRow(0x2e8, 72),
    _reserved: bytesRow(0x330, 368),
  })),
}

/** In every shape. What else is missing was zero, or the signature is over something else. */
const needed = [
  'version',
  'guest_svn',
  'policy',
  'vmpl',
  'sig_algo',
  'plat_info',
  'report_data',
  'measurement',
  'host_data',
  'reported_tcb',
  'chip_id',
  'signature',
] as const

function same(a: ExactJson, b: ExactJson): boolean {
  if (isList(a))
    return (
      isList(b) && a.length === b.length && a.every((each, index) => same(each, b[index] ?? null))
    )
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null || isList(b))
    return a === b
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && same(a[name] ?? null, b[name] ?? null))
  )
}
