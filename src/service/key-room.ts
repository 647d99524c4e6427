/** How is a key made, sealed, kept and opened? For every purpose alike; what signs with it is elsewhere. */
import { toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import { generateTokenKey, type KeyForm, signingForms } from '../token/token-key.ts'
import type { KeyEncryptions } from './key-encryption.ts'
import { keysLeaf } from './log-leaves.ts'
import type { PendingLeaf } from './log-ports.ts'
import type { Clock, Random, Store } from './ports.ts'
import { isForgotten, openKey, sealKey } from './sealed-key.ts'
import type { KeyPurpose, SealedKey } from './token-ports.ts'

export interface KeyRoom {
  readonly store: Store
  readonly random: Random
  readonly clock: Clock
  readonly keyEncryption: KeyEncryptions
  /** Default 30: days after which a token key is followed by another. */
  readonly keyRotationDays?: number | undefined
}

/** What keys of this purpose sign; undefined for what signs neither tokens nor envelopes. */
export function formOf(purpose: KeyPurpose): KeyForm | undefined {
  const [form = ''] = purpose.split(':')
  return isForm(form) ? form : undefined
}

function isForm(name: string): name is KeyForm {
  return Object.hasOwn(signingForms, name)
}

/** The newest first; never empty. Replicas that begin together end up with the same one. */
export async function findOrMake(
  room: KeyRoom,
  purpose: KeyPurpose,
): Promise<readonly SealedKey[]> {
  const known = await room.store.keysFor(purpose)
  if (known.some((key) => !isForgotten(key))) return known
  const key = await makeKey(room, purpose, { activeFrom: room.clock.now(), others: known })
  const [newest] = known
  if (!newest) return [await room.store.keepFirstKey(key)]
  await room.store.addKey(key, newest.kid, addedLeaf(key, room))
  return await room.store.keysFor(purpose)
}

/** Of a key that was made here. */
export function addedLeaf(
  { purpose, kid, createdAt: at }: SealedKey,
  { random }: Pick<KeyRoom, 'random'>,
): PendingLeaf {
  return keysLeaf({ purpose, kid, change: 'added', at }, random)
}

interface KeyRequest {
  readonly activeFrom: Date
  /** Of the same purpose: it is called as none of these. */
  readonly others: readonly Pick<SealedKey, 'kid'>[]
}

/** Sealed, and not kept yet. */
export async function makeKey(
  room: KeyRoom,
  purpose: KeyPurpose,
  { activeFrom, others }: KeyRequest,
): Promise<SealedKey> {
  const { kid, secret } = await generateKey(room, purpose, others)
  const [encryption] = room.keyEncryption
  const sealed = await sealKey({ kid, purpose }, secret, { encryption, random: room.random })
  const createdAt = room.clock.now()
  return { kid, purpose, createdAt, activeFrom, revokedAt: undefined, sealed }
}

const CHALLENGE_SECRET_SIZE = 32
/** Of a challenge: services/challenge.ts. */
const CHALLENGE_KEY_ID_SIZE = 2

async function generateKey(
  { random }: KeyRoom,
  purpose: KeyPurpose,
  others: KeyRequest['others'],
): Promise<{ readonly kid: string; readonly secret: Uint8Array }> {
  const form = formOf(purpose)
  if (form) {
    const { kid, pkcs8 } = await generateTokenKey(form)
    return { kid, secret: pkcs8 }
  }
  if (purpose !== 'challenge') throw new Error(`keys for ${purpose} are made elsewhere`)
  const taken = new Set(others.map(({ kid }) => kid))
  return { kid: freeId(random, taken), secret: random.bytes(CHALLENGE_SECRET_SIZE) }
}

/** The next that is free from a random one on: there are 65,536, and a handful is taken. */
function freeId(random: Random, taken: ReadonlySet<string>): string {
  const bytes = Buffer.from(random.bytes(CHALLENGE_KEY_ID_SIZE))
  while (taken.has(toHex(bytes))) bytes.writeUInt16BE((bytes.readUInt16BE() + 1) & 0xffff)
  return toHex(bytes)
}

/** Throws Problem: 'configuration-invalid', and 'key-encryption-unavailable' where its holder does not answer. */
export async function openedKey(
  { keyEncryption }: Pick<KeyRoom, 'keyEncryption'>,
  key: SealedKey,
): Promise<Uint8Array> {
  try {
    return await openKey(key, keyEncryption)
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Problem('configuration-invalid', reason, { cause })
  }
}
