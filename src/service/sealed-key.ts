/** The service's private keys at rest: each in an envelope that its purpose and key id are bound to. */
import type { KeyEncryptions } from './key-encryption.ts'
import { envelopeUnder, openEnvelope, type Sealing, sealEnvelope } from './sealed-envelope.ts'
import type { SealedKey } from './token-ports.ts'

type KeyName = Pick<SealedKey, 'kid' | 'purpose'>

export async function sealKey(
  name: KeyName,
  secret: Uint8Array,
  sealing: Sealing,
): Promise<Uint8Array> {
  return await sealEnvelope(secret, associatedText(name), sealing)
}

/**
 * Rejects when none of the key-encryption keys is the one that it was sealed under, or the row was altered; with a Problem
 * where whoever holds the key-encryption key does not answer.
 */
export async function openKey(
  { kid, purpose, sealed }: Pick<SealedKey, 'kid' | 'purpose' | 'sealed'>,
  encryptions: KeyEncryptions,
): Promise<Uint8Array> {
  return await openEnvelope(
    { sealed, associated: associatedText({ kid, purpose }), called: `key ${kid} (${purpose})` },
    encryptions,
  )
}

/**
 * Sealed directly under a key-encryption key, by versions whose keys were good for minutes: such a key is as good as
 * none. Unlike a form of the future, which somebody may still need.
 */
export function isForgotten({ sealed }: Pick<SealedKey, 'sealed'>): boolean {
  return sealed[0] === 1
}

/** Undefined for what this version did not write. */
export function sealedUnder({ sealed }: Pick<SealedKey, 'sealed'>): Uint8Array | undefined {
  return envelopeUnder(sealed)
}

function associatedText({ kid, purpose }: KeyName): string {
  return `vouchsafe/sealed-key/v2\0${purpose}\0${kid}`
}
