/** The raw signature limit: one node:crypto verification with a parsed key and a DER signature, nothing around it. */
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto'

export function p384Limit(): () => unknown {
  return limit('P-384', 'sha384', 0x2a0)
}

export function p256Limit(): () => unknown {
  return limit('P-256', 'sha256', 632)
}

/** `size`: bytes that are signed in the evidence this limit stands for. */
function limit(namedCurve: string, digest: string, size: number): () => unknown {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
  const message = Buffer.alloc(size, createHash('sha256').update(namedCurve).digest())
  const signature = sign(digest, message, privateKey)
  return () => {
    if (!verify(digest, message, publicKey, signature)) throw new Error('the limit does not verify')
  }
}
