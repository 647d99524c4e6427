/**
 * Who holds the key-encryption key? What wraps and unwraps data keys, as PKCS #11 does with C_WrapKey and C_UnwrapKey: the
 * key itself may be a file's, or one that never leaves its device.
 */

export interface KeyEncryption {
  /** For operators and for stored rows: never a secret. */
  readonly name: string
  /** 8 bytes: which key a row was sealed under. Another key has another. */
  readonly id: Uint8Array
  /** Of 32 bytes. */
  readonly wrap: (dataKey: Uint8Array) => Promise<Uint8Array>
  /** Rejects for anything that this key did not wrap. What it gives is the caller's own, who overwrites it. */
  readonly unwrap: (wrapped: Uint8Array) => Promise<Uint8Array>
}

/** What seals is the first; the others still open what they sealed, until `vouchsafe keys rewrap` has been there. */
export type KeyEncryptions = readonly [KeyEncryption, ...KeyEncryption[]]

export const KEY_ENCRYPTION_ID_SIZE = 8
