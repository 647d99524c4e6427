/** Whether `bytes & mask` is `value`. All three have one length; any other is a field of another kind, and no match. */
export function matchesUnderMask(bytes: Uint8Array, mask: Uint8Array, value: Uint8Array): boolean {
  if (bytes.length !== mask.length || bytes.length !== value.length) return false
  for (let i = 0; i < bytes.length; i++)
    if (((bytes[i] ?? 0) & (mask[i] ?? 0)) !== value[i]) return false
  return true
}

/** Whether `bytes` has none of the bits of `mask`; of equal length. */
export function isClearUnderMask(bytes: Uint8Array, mask: Uint8Array): boolean {
  if (bytes.length !== mask.length) return false
  for (let i = 0; i < bytes.length; i++) if (((bytes[i] ?? 0) & (mask[i] ?? 0)) !== 0) return false
  return true
}
