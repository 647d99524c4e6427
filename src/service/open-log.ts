/** The transparency log of a running service: its key found or made, its first checkpoint signed, and what is done for it again and again. */
import { verifierKeyText } from '../log/note-key.ts'
import type { KeyRoom } from './key-room.ts'
import { openLogKey } from './log-key.ts'
import type { LogHead } from './log-ports.ts'
import { logSequencer } from './log-sequencer.ts'
import { logWitnesses, type Witness } from './log-witnesses.ts'
import type { Journal } from './ports.ts'
import type { Chore } from './verifier.ts'

export interface LogParts extends KeyRoom {
  readonly journal: Journal
  readonly publicUrl: string
  readonly pause: () => Promise<void>
  /** Default: none. */
  readonly witnesses?: readonly Witness[]
}

export interface ServiceLog {
  /** Why nothing is signed any more: a sentence for operators. Undefined while all is well. */
  readonly fault: () => string | undefined
  /** C2SP verifier key, one line. Throws Problem('storage-unavailable'). */
  readonly verifierKey: () => Promise<string>
  /** The head's checkpoint with the cosignatures that this replica has of it. */
  readonly cosigned: (head: LogHead) => string
}

/** Throws Problem('configuration-invalid') when the key does not open, and 'storage-unavailable'. */
export async function openLog(
  parts: LogParts,
): Promise<{ readonly log: ServiceLog; readonly chores: readonly Chore[] }> {
  const { store, publicUrl, witnesses = [] } = parts
  const key = await openLogKey(parts, publicUrl)
  const sequencer = logSequencer({ ...parts, key })
  const keyOf = async () => key.signerFor(await store.logHead()).key
  const watched = logWitnesses({ ...parts, logKey: keyOf, rollback: sequencer.remember }, witnesses)
  // A database that was restored while nobody ran does not know what was signed since; witnesses do.
  const signed = await watched.recall()
  if (signed) sequencer.remember(signed)
  // From the first request on there is a checkpoint, be it of nothing.
  await sequencer.run()
  return {
    log: {
      fault: sequencer.fault,
      verifierKey: async () => verifierKeyText(await keyOf()),
      cosigned: watched.cosigned,
    },
    chores: [sequencer, ...(witnesses.length > 0 ? [watched] : [])],
  }
}
