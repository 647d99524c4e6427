/** `bytes & mask`, of equal length. */
export function masked(bytes: Uint8Array, mask: Uint8Array): Uint8Array {
  if (bytes.length !== mask.length)
    throw new RangeError(`a mask of ${mask.length} bytes on a field of ${bytes.length}`)
  return bytes.map((byte, index) => byte & (mask[index] ?? 0))
}
