/** The service's own keys: an issuer's for each form of token that it issues and for envelopes, and those of challenges. */
import { createSecretKey } from 'node:crypto'
import type { TokenForm } from '../rats/release.ts'
import type { Assurance } from '../rats/trust-vector.ts'
import type { Issuer } from '../token/issuer.ts'
import { importTokenKey, type KeyForm, type TokenKey } from '../token/token-key.ts'
import type { ChallengeKey } from './challenge.ts'
import { type KeyRing, openKeyRing } from './key-ring.ts'
import type { KeyRoom } from './key-room.ts'

/** Every ring of the service, whatever it holds: for what reads and rotates them. */
export type AnyKeyRing = Pick<KeyRing<unknown>, 'purpose' | 'reload'>

export interface OpenedIssuer {
  readonly issuer: Issuer
  readonly rings: readonly AnyKeyRing[]
}

/** Clouds look at the subject and at nothing that says how much it is worth: simulated evidence buys no bearer token. */
const formsOf: Readonly<Record<Assurance, readonly TokenForm[]>> = {
  hardware: ['possession', 'federation', 'workload'],
  simulated: ['possession', 'workload'],
}

/** Throws Problem('configuration-invalid') when the key-encryption key does not open what is stored. */
export async function openIssuer(
  room: KeyRoom,
  { url, assurance }: Pick<Issuer, 'url' | 'assurance'>,
): Promise<OpenedIssuer> {
  const forms = formsOf[assurance]
  const opened = await Promise.all(
    [...forms, 'release' as const].map(
      async (form) =>
        [
          form,
          await openKeyRing<TokenKey>(room, `${form}:${url}`, (_, pkcs8) =>
            importTokenKey(form, pkcs8),
          ),
        ] as const,
    ),
  )
  const rings = new Map<KeyForm, KeyRing<TokenKey>>(opened)
  return {
    rings: [...rings.values()],
    issuer: {
      url,
      assurance,
      forms,
      signer(form, at) {
        const ring = rings.get(form)
        if (!ring) throw new Error(`${url} issues no tokens of the form ${form}`)
        return ring.signer(at)
      },
      published: () => [...rings.values()].flatMap((ring) => ring.published()),
      // Added, so that a change of any rises.
      sequence: () => [...rings.values()].reduce((sum, ring) => sum + ring.sequence(), 0),
    },
  }
}

/** What issues challenges and what opens them. */
export interface ChallengeKeys {
  readonly issuing: (at: Date) => ChallengeKey
  /** Older ones are still answered; whatever a revoked one issued is not. */
  readonly opening: () => readonly ChallengeKey[]
}

export async function openChallengeKeys(
  room: KeyRoom,
): Promise<{ readonly keys: ChallengeKeys; readonly ring: AnyKeyRing }> {
  const ring = await openKeyRing<ChallengeKey>(room, 'challenge', (kid, secret) => ({
    id: new Uint8Array(Buffer.from(kid, 'hex')),
    secret: createSecretKey(secret),
  }))
  return { ring, keys: { issuing: ring.signer, opening: ring.published } }
}
