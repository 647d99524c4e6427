/**
 * How does EFI store a GUID? Its first three groups are little-endian integers, the last two are bytes as written
 * (UEFI specification 2.10, appendix A): `96b582de-1fb2-45f7-…` is stored as de 82 b5 96 b2 1f f7 45 ….
 */

/** The 16 stored bytes of a GUID in its usual spelling. */
export function guidBytes(text: string): Uint8Array {
  return new Uint8Array(swapIntegers(Buffer.from(text.replaceAll('-', ''), 'hex')))
}

/** The usual lower-case spelling of 16 stored bytes. */
export function guidText(stored: Uint8Array): string {
  const hex = swapIntegers(Buffer.from(stored)).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** In place, and its own inverse. */
function swapIntegers(guid: Buffer): Buffer {
  guid.subarray(0, 4).swap32()
  guid.subarray(4, 8).swap16()
  return guid
}
