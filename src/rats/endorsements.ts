/**
 * Endorsements as somebody supplied them: bytes, believed by nobody yet. A TEE's `endorse` turns them into proofs.
 * The set is immutable and carries a digest, so that proofs can be cached under it without hashing it again.
 */
import { createHash } from 'node:crypto'

/** One of Intel's signed JSON documents, exactly as received: the signature covers these bytes and no re-serialisation of them. */
export interface SignedCollateral {
  readonly body: Uint8Array
  /** Raw R || S, 64 bytes. */
  readonly signature: Uint8Array
  /** DER certificates, signer first. */
  readonly issuerChain: readonly Uint8Array[]
}

export interface EndorsementParts {
  /** DER certificates: intermediates, and a VEK where the evidence does not bring its own. */
  readonly certificates: readonly Uint8Array[]
  /** DER certificate revocation lists. */
  readonly crls: readonly Uint8Array[]
  readonly tcbInfos: readonly SignedCollateral[]
  readonly qeIdentities: readonly SignedCollateral[]
}

export interface Endorsements extends EndorsementParts {
  /** SHA-256 over all parts with their lengths, hex. */
  readonly digest: string
}

export const noParts: EndorsementParts = {
  certificates: [],
  crls: [],
  tcbInfos: [],
  qeIdentities: [],
}

export function endorsements(...parts: readonly Partial<EndorsementParts>[]): Endorsements {
  const all: EndorsementParts = {
    certificates: parts.flatMap((part) => part.certificates ?? []),
    crls: parts.flatMap((part) => part.crls ?? []),
    tcbInfos: parts.flatMap((part) => part.tcbInfos ?? []),
    qeIdentities: parts.flatMap((part) => part.qeIdentities ?? []),
  }
  return { ...all, digest: digestOf(all) }
}

function digestOf(parts: EndorsementParts): string {
  const hash = createHash('sha256')
  const add = (kind: string, bytes: Uint8Array) =>
    hash.update(`${kind}:${bytes.length}:`).update(bytes)
  for (const der of parts.certificates) add('certificate', der)
  for (const der of parts.crls) add('crl', der)
  for (const [kind, documents] of [
    ['tcb-info', parts.tcbInfos],
    ['qe-identity', parts.qeIdentities],
  ] as const)
    for (const { body, signature, issuerChain } of documents) {
      add(kind, body)
      add('signature', signature)
      for (const der of issuerChain) add('issuer', der)
    }
  return hash.digest('hex')
}
