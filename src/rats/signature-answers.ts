/**
 * Signatures that were verified ahead: a P-384 verification takes half a millisecond, in which nothing else would run, so
 * whoever serves many has it done beside, and hands in the answer. It counts only for the very same key, message and
 * signature; whatever else a check asks is computed as ever.
 */
import { hash, type KeyObject } from 'node:crypto'
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

/**
 * Knows signatures that it found genuine, for whoever judges the same evidence again and again: of all that is judged they alone
 * depend on nothing that can change. What is not genuine is verified each time. Of two generations the older one is forgotten
 * whole: an attacker who brings many costs verifications, never memory.
 */
export function rememberedSignatures(
  most: number,
  verify: VerifySignature = verifySignature,
): VerifySignature {
  const numbers = new WeakMap<KeyObject, number>()
  let keys = 0
  let young = new Set<string>()
  let old = new Set<string>()
  const numberOf = (key: KeyObject) => {
    const known = numbers.get(key) ?? keys++
    numbers.set(key, known)
    return known
  }
  return (question) => {
    const { scheme, key, message, signature } = question
    const digests = [message, signature].map((bytes) => hash('sha256', bytes))
    const name = [scheme.identifier, numberOf(key), ...digests].join(' ')
    if (young.has(name)) return true
    if (!old.has(name) && !verify(question)) return false
    if (young.size >= most / 2) {
      old = young
      young = new Set()
    }
    young.add(name)
    return true
  }
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
