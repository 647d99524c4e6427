/** By whose word is the next commit judged? The trust files and revocations of the one before it, and nothing that it brings itself. */

import { readTrustFiles, type TrustFiles } from '../documents/trust-files.ts'
import type { FileMistake, PolicyFile } from '../policy.ts'
import type { Pause } from '../slices.ts'
import { AMEND, type Refusal, schemaRefusal } from './refusal.ts'
import { type RevokedEntries, readRevokedEntries } from './revoked-entries.ts'

export interface Ground {
  readonly commit: string
  readonly trust: TrustFiles
  readonly revoked: RevokedEntries
}

type GroundReading = { readonly ground: Ground } | { readonly refusal: Refusal }

/**
 * Of a commit that somebody vouched for; `files` are all of it, or those under trust/ and revoked/. Here a revocation that
 * cannot be read is a fault: nobody approved of losing it.
 */
export async function groundOf(
  commit: string,
  files: readonly PolicyFile[],
  pause: Pause,
): Promise<GroundReading> {
  const reading = readTrustFiles(files)
  if ('mistakes' in reading) return { refusal: unreadable(commit, reading.mistakes) }
  const revoked = await readRevokedEntries(files, pause)
  return revoked.mistakes.length > 0
    ? { refusal: unreadable(commit, revoked.mistakes) }
    : { ground: { commit, trust: reading.trust, revoked } }
}

/** After a commit that was judged by `ground`; `files` are all those under the folders that it changed. */
export async function nextGround(
  ground: Ground,
  {
    commit,
    files,
    changes,
    pause,
  }: {
    readonly commit: string
    readonly files: readonly PolicyFile[]
    readonly changes: { readonly trust: boolean; readonly revoked: boolean }
    readonly pause: Pause
  },
): Promise<GroundReading> {
  const reading = changes.trust ? readTrustFiles(files) : { trust: ground.trust }
  if ('mistakes' in reading) return { refusal: unreadable(commit, reading.mistakes) }
  return {
    ground: {
      commit,
      trust: reading.trust,
      revoked: changes.revoked ? await readRevokedEntries(files, pause) : ground.revoked,
    },
  }
}

function unreadable(commit: string, mistakes: readonly FileMistake[]): Refusal {
  return schemaRefusal({
    commit,
    why: 'the files that say who may change it cannot be read',
    mistakes,
    mend: AMEND,
  })
}
