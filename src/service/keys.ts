/** The service's own keys: found in the store, or made there once. Replicas that start together end up with the same ones. */
import { toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { Assurance } from '../rats/trust-vector.ts'
import type { Issuer } from '../token/issuer.ts'
import { generateTokenKey, importTokenKey } from '../token/token-key.ts'
import type { ChallengeKey } from './challenge.ts'
import type { Clock, KeyPurpose, Random, SealedKey, Store } from './ports.ts'
import { openKey, sealKey } from './sealed-key.ts'

export interface KeyRoom {
  readonly store: Store
  readonly random: Random
  readonly clock: Clock
  /** 32 bytes. */
  readonly keyEncryptionKey: Uint8Array
}

/** Throws Problem('configuration-invalid') when the key-encryption key does not open what is stored. */
export async function issuerFor(
  room: KeyRoom,
  { url, assurance }: { readonly url: string; readonly assurance: Assurance },
): Promise<Issuer> {
  const purpose: KeyPurpose = `token:${url}`
  const sealed = await findOrMake(room, purpose, async () => {
    const { kid, pkcs8 } = await generateTokenKey()
    return { kid, secret: new TextEncoder().encode(pkcs8) }
  })
  const [first, ...others] = await Promise.all(
    sealed.map((key) => importTokenKey(new TextDecoder().decode(opened(key, room)))),
  )
  if (!first) throw new Error(`no key for ${purpose}`)
  return { url, assurance, keys: [first, ...others] }
}

/** Newest first: the first issues, the others are still accepted. */
export async function challengeKeys(
  room: KeyRoom,
): Promise<readonly [ChallengeKey, ...ChallengeKey[]]> {
  const sealed = await findOrMake(room, 'challenge', async () => ({
    kid: toHex(room.random.bytes(2)),
    secret: room.random.bytes(32),
  }))
  const [first, ...others] = sealed.map((key) => ({
    id: new Uint8Array(Buffer.from(key.kid, 'hex')),
    secret: opened(key, room),
  }))
  if (!first) throw new Error('no challenge key')
  return [first, ...others]
}

async function findOrMake(
  { store, random, clock, keyEncryptionKey }: KeyRoom,
  purpose: KeyPurpose,
  make: () => Promise<{ readonly kid: string; readonly secret: Uint8Array }>,
): Promise<readonly SealedKey[]> {
  const known = await store.keysFor(purpose)
  if (known.length > 0) return known
  const { kid, secret } = await make()
  const iv = random.bytes(12)
  const sealed = sealKey({ kid, purpose }, secret, { kek: keyEncryptionKey, iv })
  return [await store.keepFirstKey({ kid, purpose, createdAt: clock.now(), sealed })]
}

function opened(key: SealedKey, { keyEncryptionKey }: KeyRoom): Uint8Array {
  try {
    return openKey(key, keyEncryptionKey)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Problem('configuration-invalid', reason, { cause })
  }
}
