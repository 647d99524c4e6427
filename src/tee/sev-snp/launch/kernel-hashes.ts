/**
 * What does QEMU write about kernel, initrd and command line (`kernel-hashes=on`)? A table of three SHA-256 digests, in
 * this order, at the place that the firmware names; the firmware then refuses to start files with other digests
 * (QEMU target/i386/sev.c, edk2 BlobVerifierLibSevHashes).
 */
import { hash } from 'node:crypto'
import { concat } from '../../../bytes/encoding.ts'
import { guidBytes } from './guid.ts'

export interface DirectBoot {
  readonly kernel: Uint8Array
  /** Absent and empty are the same to QEMU. */
  readonly initrd: Uint8Array
  /** The kernel command line, without the NUL that QEMU adds and hashes. */
  readonly append: string
}

const ENTRY_SIZE = 16 + 2 + 32
const UNPADDED_SIZE = 16 + 2 + 3 * ENTRY_SIZE

/** Bytes of the whole table, padded to 16. */
export const HASH_TABLE_SIZE = Math.ceil(UNPADDED_SIZE / 16) * 16

export function encodeHashTable({ kernel, initrd, append }: DirectBoot): Uint8Array {
  return concat(
    marked('9438d606-4f22-4cc9-b479-a793d411fd21', UNPADDED_SIZE),
    entry('97d02dd8-bd20-4c94-aa78-e7714d36ab2a', Buffer.from(`${append}\0`)),
    entry('44baf731-3a2f-4bd7-9af1-41e29169781d', initrd),
    entry('4de79437-abd2-427f-b835-d5b172d2045b', kernel),
    new Uint8Array(HASH_TABLE_SIZE - UNPADDED_SIZE),
  )
}

function entry(guid: string, content: Uint8Array): Uint8Array {
  return concat(marked(guid, ENTRY_SIZE), hash('sha256', content, 'buffer'))
}

/** A GUID and the u16 length of what it marks, both included. */
function marked(guid: string, length: number): Uint8Array {
  return concat(guidBytes(guid), Uint8Array.of(length & 0xff, length >> 8))
}
