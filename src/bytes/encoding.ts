/** Hex, base64url and comparison of bytes: the few conversions that every layer needs, each exact (never padded, never truncated). */

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Lower- or upper-case hex to bytes. `undefined` for anything else: an odd length, a space, a `0x`. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined
  return new Uint8Array(Buffer.from(text, 'hex'))
}

export function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

/** Canonical, unpadded base64url (RFC 4648 section 5). `undefined` when another spelling of the same bytes was used. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? new Uint8Array(bytes) : undefined
}

/** Padded or unpadded base64 in either alphabet, as vendors and HTTP bodies carry it. `undefined` when a character is foreign. */
export function fromBase64(text: string): Uint8Array | undefined {
  const unpadded = text.replace(/={1,2}$/, '')
  if (!/^[A-Za-z0-9+/_-]*$/.test(unpadded) || unpadded.length % 4 === 1) return undefined
  // In memory of its own: among what Buffer keeps together, the longest-lived neighbour would hold on to all of it.
  const bytes = Buffer.allocUnsafeSlow(Math.floor((unpadded.length * 3) / 4))
  return new Uint8Array(bytes.buffer, 0, bytes.write(unpadded, 'base64'))
}

/** Equality of public values. Not for secrets: it stops at the first difference. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}

/** From `start` up to `end`. Walks by index: a closure or a view costs ten times as much on the reserved bytes of every report. */
export function isZero(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
