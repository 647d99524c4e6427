/**
 * By which key is the log signed, and what is the log called? The key is found in the store, or made there once. The name is
 * the first checkpoint's for ever: an auditor knows a log by its name, so a public URL that changes does not rename it.
 */

import { parseCheckpoint } from '../log/checkpoint.ts'
import { LogFault } from '../log/log-fault.ts'
import { type NoteSigner, noteSigner } from '../log/note-key.ts'
import { type KeyRoom, openedKey } from './key-room.ts'
import type { LogHead } from './log-ports.ts'
import { sealKey } from './sealed-key.ts'
import type { SealedKey } from './token-ports.ts'

const SEED_SIZE = 32

export interface LogKey {
  /** Signs under the name that the log has; under the one that it will have, where there is no head yet. Throws LogFault. */
  readonly signerFor: (head: LogHead | undefined) => NoteSigner
}

/** Throws Problem('configuration-invalid') when the stored key does not open. */
export async function openLogKey(room: KeyRoom, publicUrl: string): Promise<LogKey> {
  const [known] = await room.store.keysFor('log')
  const seed = await openedKey(room, known ?? (await keepFirst(room)))
  const first = nameOf(publicUrl)
  const signers = new Map<string, NoteSigner>()
  return {
    signerFor(head) {
      const name = head ? parseCheckpoint(head.checkpoint).origin : first
      const signer = signers.get(name) ?? noteSigner('log', name, seed)
      signers.clear()
      signers.set(name, signer)
      return signer
    },
  }
}

/** C2SP tlog-tiles, "Parameters": where the log is found, without the scheme. A key's name has no plus in it. */
function nameOf(publicUrl: string): string {
  const name = publicUrl.replace(/^https?:\/\//, '').replaceAll('+', '%2B')
  if (name === '') throw new LogFault('a log without a public URL has no name')
  return `${name}/v1/log`
}

/** Replicas that begin together end up with the same one. */
async function keepFirst({ store, random, clock, keyEncryption }: KeyRoom): Promise<SealedKey> {
  const seed = random.bytes(SEED_SIZE)
  // Under whatever name it signs: the id of the bare key.
  const { key } = noteSigner('log', 'log', seed)
  const name = { kid: key.id, purpose: 'log' } as const
  const [encryption] = keyEncryption
  const now = clock.now()
  return await store.keepFirstKey({
    ...name,
    createdAt: now,
    activeFrom: now,
    revokedAt: undefined,
    sealed: await sealKey(name, seed, { encryption, random }),
  })
}
