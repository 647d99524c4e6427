/** The keys of one purpose as a replica holds them: opened, read without waiting, and read again when others changed them. */

import { type KeyDates, newestFirst, published, sequenceOf, signerAt } from './key-lifetime.ts'
import type { KeyRoom } from './key-room.ts'
import { findOrMake, openedKey } from './key-room.ts'
import { isForgotten } from './sealed-key.ts'
import type { KeyPurpose, SealedKey } from './token-ports.ts'

export interface KeyRing<K> {
  readonly purpose: KeyPurpose
  /** Throws where every key was revoked and no other was made yet. */
  readonly signer: (at: Date) => K
  /** All that were not revoked, the newest first. */
  readonly published: () => readonly K[]
  /** Another, and greater, whenever what is published is another. */
  readonly sequence: () => number
  /** Rejects where the database does not answer or a key does not open; what was held is held on to. */
  readonly reload: () => Promise<void>
}

/** What is held of a key: its dates, and it itself. */
interface Held<K> extends KeyDates {
  readonly opened: K
}

/** Throws Problem('configuration-invalid') when a stored key does not open, and 'storage-unavailable'. */
export async function openKeyRing<K>(
  room: KeyRoom,
  purpose: KeyPurpose,
  open: (kid: string, secret: Uint8Array) => K,
): Promise<KeyRing<K>> {
  let held: readonly Held<K>[] = []
  let running = Promise.resolve()

  async function opened(key: SealedKey): Promise<Held<K>> {
    const { kid, createdAt, activeFrom, revokedAt } = key
    const known = held.find((each) => each.kid === kid)
    const itself = known ? known.opened : open(kid, await openedKey(room, key))
    return { kid, createdAt, activeFrom, revokedAt, opened: itself }
  }

  async function read(): Promise<void> {
    const keys = (await findOrMake(room, purpose)).filter((key) => !isForgotten(key))
    const opening = await Promise.allSettled(keys.map(opened))
    const good = opening.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    if (good.length > 0) held = good.toSorted(newestFirst)
    // One row that does not open takes nothing from the others, and is told of all the same.
    for (const each of opening) if (each.status === 'rejected') throw each.reason
  }

  const ring: KeyRing<K> = {
    purpose,
    signer(at) {
      const signer = signerAt(held, at)
      if (signer) return signer.opened
      throw new Error(`every key for ${purpose} was revoked, and no other was made yet`)
    },
    published: () => published(held).map((each) => each.opened),
    sequence: () => sequenceOf(held),
    // One after the other: an answer that was asked for first may come last.
    reload() {
      const asked = running.then(read)
      running = asked.catch(() => {})
      return asked
    },
  }
  await ring.reload()
  return ring
}
