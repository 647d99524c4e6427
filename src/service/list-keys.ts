/** Which keys are there, and what is each of them doing? For operators: nothing of it is secret. */
import { toHex } from '../bytes/encoding.ts'
import { type KeyState, newestFirst, retiresAt, stateOf } from './key-lifetime.ts'
import { formOf } from './key-room.ts'
import { isForgotten, sealedUnder } from './sealed-key.ts'
import type { KeyPurpose, KeyStore, SealedKey } from './token-ports.ts'

export interface ListedKey {
  readonly kid: string
  readonly purpose: KeyPurpose
  readonly algorithm: 'ES256' | 'RS256' | 'HMAC-SHA-256' | 'Ed25519'
  readonly state: KeyState
  readonly createdAt: Date
  readonly activeFrom: Date
  /** When its successor takes over, or took over; undefined where there is none. */
  readonly retiresAt: Date | undefined
  readonly revokedAt: Date | undefined
  /** Id of the key-encryption key, 16 hex digits; undefined for a row that another version wrote. */
  readonly sealedUnder: string | undefined
}

/** By purpose, and the newest first. */
export async function listKeys(
  store: Pick<KeyStore, 'allKeys'>,
  at: Date,
): Promise<readonly ListedKey[]> {
  const keys = (await store.allKeys()).filter((key) => !isForgotten(key))
  return [...Map.groupBy(keys, ({ purpose }) => purpose)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, own]) => own.toSorted(newestFirst).map((key) => listed(key, own, at)))
}

function listed(key: SealedKey, own: readonly SealedKey[], at: Date): ListedKey {
  const { kid, purpose, createdAt, activeFrom, revokedAt } = key
  const id = sealedUnder(key)
  return {
    kid,
    purpose,
    algorithm: algorithmOf(purpose),
    state: stateOf(key, own, at),
    createdAt,
    activeFrom,
    retiresAt: revokedAt ? undefined : retiresAt(key, own),
    revokedAt,
    sealedUnder: id && toHex(id),
  }
}

function algorithmOf(purpose: KeyPurpose): ListedKey['algorithm'] {
  if (purpose === 'challenge') return 'HMAC-SHA-256'
  if (purpose === 'log') return 'Ed25519'
  return formOf(purpose) === 'federation' ? 'RS256' : 'ES256'
}
