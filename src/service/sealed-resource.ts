/** Secrets and model keys at rest: each version in an envelope that its tenant, name and number are bound to. */
import type { KeyEncryptions } from './key-encryption.ts'
import { envelopeUnder, openEnvelope, type Sealing, sealEnvelope } from './sealed-envelope.ts'

/** Of one version of a resource. */
export interface ResourceName {
  readonly tenant: string
  readonly name: string
  readonly version: number
}

/** A secret of no bytes is none: its envelope would not open. */
export async function sealResource(
  name: ResourceName,
  secret: Uint8Array,
  sealing: Sealing,
): Promise<Uint8Array> {
  if (secret.length === 0) throw new RangeError('there is nothing to seal')
  return await sealEnvelope(secret, associatedText(name), sealing)
}

/**
 * Rejects when none of the key-encryption keys is the one that it was sealed under, or the row was altered; with a Problem
 * where whoever holds the key-encryption key does not answer.
 */
export async function openResource(
  name: ResourceName,
  sealed: Uint8Array,
  encryptions: KeyEncryptions,
): Promise<Uint8Array> {
  const called = `version ${name.version} of ${name.name} (tenant ${name.tenant})`
  return await openEnvelope({ sealed, associated: associatedText(name), called }, encryptions)
}

/** Id of the key-encryption key. Undefined for what this version did not write. */
export function sealedUnder({ sealed }: { readonly sealed: Uint8Array }): Uint8Array | undefined {
  return envelopeUnder(sealed)
}

/** None of the three can hold a zero byte: config/values.ts and resource-name.ts say what they are made of. */
function associatedText({ tenant, name, version }: ResourceName): string {
  return `vouchsafe/sealed-resource/v1\0${tenant}\0${name}\0${version}`
}
