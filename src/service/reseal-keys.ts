/**
 * `vouchsafe keys rewrap`: every stored key under another key-encryption key. Cut short, the rows are all as they were or all
 * as they are to be, and both can be opened by whoever has both keys; begun again, it does what is left.
 */
import { sameBytes } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { KeyEncryption, KeyEncryptions } from './key-encryption.ts'
import { openedKey } from './key-room.ts'
import type { Random, Store } from './ports.ts'
import { isForgotten, sealedUnder, sealKey } from './sealed-key.ts'
import type { ResealedKey, SealedKey } from './token-ports.ts'

export interface ResealRoom {
  readonly store: Pick<Store, 'allKeys' | 'resealKeys'>
  readonly random: Random
  /** What the stored keys may be sealed under. */
  readonly keyEncryption: KeyEncryptions
}

export interface Resealed {
  /** Put under the other key now, and those that were already. */
  readonly resealed: number
  readonly already: number
}

/** A service that runs adds keys and revokes them meanwhile. */
const MOST_TRIES = 5

/** Throws Problem('configuration-invalid') where one does not open: then nothing is changed. */
export async function resealKeys(room: ResealRoom, target: KeyEncryption): Promise<Resealed> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const keys = (await room.store.allKeys()).filter((key) => !isForgotten(key))
    const others = keys.filter((key) => !isUnder(key, target))
    const changes: ResealedKey[] = []
    for (const key of others) changes.push(await resealed(room, key, target))
    if (changes.length === 0 || (await room.store.resealKeys(changes)))
      return { resealed: changes.length, already: keys.length - others.length }
  }
  throw new Problem('storage-unavailable', 'the stored keys changed each time that they were read')
}

async function resealed(
  room: ResealRoom,
  key: SealedKey,
  target: KeyEncryption,
): Promise<ResealedKey> {
  const { purpose, kid, sealed: from } = key
  const secret = await openedKey({ keyEncryption: [...room.keyEncryption, target] }, key)
  const to = await sealKey({ purpose, kid }, secret, { encryption: target, random: room.random })
  // As it will be opened: once the old key is destroyed, it is too late to learn that it cannot be.
  await openedKey({ keyEncryption: [target] }, { ...key, sealed: to })
  return { purpose, kid, from, to }
}

function isUnder(key: SealedKey, { id }: KeyEncryption): boolean {
  const under = sealedUnder(key)
  return under !== undefined && sameBytes(under, id)
}
