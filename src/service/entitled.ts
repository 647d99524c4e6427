/**
 * Who asks for a resource, and may he have it? The token is one of possession for this service, its key proved this very
 * request, the key that the secret is to be sealed to is the attested one, and all that the token rests on holds now. The proof
 * is not used up yet: what is done with it uses it up.
 */
import { Problem } from '../problems.ts'
import { type PublicKey, thumbprintOf } from '../rats/public-key.ts'
import { type Allowed, mayRelease } from './may-release.ts'
import { examinePossession, type Possession, type ProvenPossession } from './possession.ts'
import type { Call, Verifier } from './verifier.ts'

export interface HolderRequest {
  readonly possession: Omit<Possession, 'audiences'>
  /** Called once it is known whose token it is; throws Problem where the tenant may ask no more. */
  readonly admit: (tenant: string) => Promise<void>
}

/** Throws Problem: those of examinePossession, and what `admit` throws. */
export async function provenHolder(
  verifier: Verifier,
  { possession, admit }: HolderRequest,
  { at }: Pick<Call, 'at'>,
): Promise<ProvenPossession> {
  const holder = await examinePossession(verifier, possession, { at })
  await admit(holder.tenant.name)
  return holder
}

/** Throws Problem: those of mayRelease. */
export async function entitledTo(
  verifier: Verifier,
  { tenant, record, encryptionJkt }: Pick<ProvenPossession, 'tenant' | 'record' | 'encryptionJkt'>,
  { resource, call }: { readonly resource: string; readonly call: Call },
): Promise<Allowed> {
  const { environment, agent, audience, scopes, appraisal, jkt } = record
  const { requestId, at } = call
  const bound = { signing: jkt, encryption: encryptionJkt ?? '' }
  const asked = { environment, agent, audience, scopes, appraisal, bound, resource }
  return await mayRelease(verifier, { tenant, ...asked, face: 'releases', requestId }, at)
}

/** Whoever stole token and proof on their way could otherwise name a key of his own. Throws Problem('release-key-refused'). */
export function assertAttestedKey(
  { encryptionJkt }: Pick<ProvenPossession, 'encryptionJkt'>,
  encJwk: PublicKey,
): void {
  if (encryptionJkt === undefined)
    throw new Problem('release-key-refused', 'the token names no attested encryption key (enc_jkt)')
  const actual = thumbprintOf(encJwk)
  if (actual === encryptionJkt) return
  throw new Problem(
    'release-key-refused',
    `encJwk has the thumbprint ${actual}, and the attested encryption key has ${encryptionJkt}`,
  )
}
