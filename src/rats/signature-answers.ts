/**
 * Signatures that were verified ahead: a P-384 verification takes half a millisecond, in which nothing else would run, so
 * whoever serves many has it done beside, and hands in the answer. It counts only for the very same key, message and
 * signature; whatever else a check asks is computed as ever.
 */
import type { KeyObject } from 'node:crypto'
import { sameBytes } from '../bytes/encoding.ts'
import type { Scheme } from '../pki/scheme.ts'

export interface SignatureQuestion {
  readonly scheme: Scheme
  readonly key: KeyObject
  /** The received bytes that are signed. */
  readonly message: Uint8Array
  /** As the scheme takes it. */
  readonly signature: Uint8Array
}

export type VerifySignature = (question: SignatureQuestion) => boolean

export const verifySignature: VerifySignature = ({ scheme, key, message, signature }) =>
  scheme.verifies(key, message, signature)

/** Waits for the answer to `question` while others have their turn. */
export async function verifiedAhead(question: SignatureQuestion): Promise<VerifySignature> {
  const { scheme, key, message, signature } = question
  const isGenuine = await scheme.verifiesAside(key, message, signature)
  return (asked) => (isSame(asked, question) ? isGenuine : verifySignature(asked))
}

/** Keys by identity: two objects may hold one key, which then costs a verification, and nothing else. */
function isSame(a: SignatureQuestion, b: SignatureQuestion): boolean {
  return (
    a.scheme === b.scheme &&
    a.key === b.key &&
    sameBytes(a.message, b.message) &&
    sameBytes(a.signature, b.signature)
  )
}
