/** Whose log is it? The key comes from the caller or from what was kept before; from the service itself only the first time, and told so. */

import { z } from 'zod'
import { openCheckpoint, type SignedCheckpoint } from '../log/checkpoint.ts'
import type { TreeHead } from '../log/consistency.ts'
import { LogFault } from '../log/log-fault.ts'
import { type NoteKey, parseVerifierKey } from '../log/note-key.ts'
import { EMPTY_ROOT } from '../log/tree-hash.ts'
import { Mistake } from './arguments.ts'
import { readFile } from './files.ts'
import type { LogDeps } from './log-deps.ts'
import type { LogSource } from './log-source.ts'

export interface LogTrust {
  readonly key: NoteKey
  /** `service`: nobody but the log itself vouches for it. */
  readonly from: 'given' | 'kept' | 'service'
  /** What was verified before; the empty log where nothing was. */
  readonly older: TreeHead
  /** Its checkpoint; undefined where nothing was. */
  readonly note: string | undefined
}

const stateSchema = z.object({ key: z.string().max(1024), checkpoint: z.string().max(0x10000) })

/** Throws Mistake. */
export async function logTrust(
  {
    key,
    state,
    source,
  }: {
    readonly key: string | undefined
    readonly state: string | undefined
    readonly source: LogSource | undefined
  },
  deps: Pick<LogDeps, 'files'>,
): Promise<LogTrust> {
  const kept = state === undefined ? undefined : await keptIn(state, deps)
  const given = key === undefined ? undefined : keyOf(key, '--key')
  if (kept && given && (given.name !== kept.key.name || given.id !== kept.key.id))
    throw new Mistake(
      `--key is of ${given.name}+${given.id}, and --state ${state} of ${kept.key.name}+${kept.key.id}.`,
      'Keep one state file for each log.',
    )
  const older = kept?.checkpoint ?? { size: 0, root: EMPTY_ROOT }
  const note = kept?.note
  if (given) return { key: given, from: 'given', older, note }
  if (kept) return { key: kept.key, from: 'kept', older, note }
  const told = source && (await source.read('key'))
  if (!told)
    throw new Mistake(
      'By which key the log is signed is not known.',
      'Give it with --key, as the operator of the service published it; GET /v1/log/key says what the service claims.',
    )
  return {
    key: keyOf(new TextDecoder().decode(told), 'the service’s'),
    from: 'service',
    older,
    note,
  }
}

/** The signed checkpoint of the log. Throws Mistake, and LogFault where it does not hold. */
export async function currentCheckpoint(
  source: LogSource,
  log: NoteKey,
  witnesses: readonly NoteKey[] = [],
): Promise<SignedCheckpoint & { readonly note: string }> {
  const bytes = await source.read('checkpoint')
  if (!bytes)
    throw new Mistake(
      `${source.name} has no checkpoint.`,
      'Name the origin of a service, or a folder with `checkpoint` and `tile/`.',
      'file-unreadable',
    )
  const note = new TextDecoder().decode(bytes)
  return { ...openCheckpoint(note, { log, witnesses }), note }
}

export function stateText(trust: { readonly vkey: string; readonly note: string }): string {
  return `${JSON.stringify({ key: trust.vkey, checkpoint: trust.note }, undefined, 2)}\n`
}

/** Throws Mistake. */
export function keyOf(text: string, role: string): NoteKey {
  try {
    return parseVerifierKey(text)
  } catch (cause) {
    if (!(cause instanceof LogFault)) throw cause
    throw new Mistake(
      `${role} key cannot be used: ${cause.message}.`,
      'Write it as GET /v1/log/key prints it.',
    )
  }
}

interface KeptLog {
  readonly key: NoteKey
  readonly checkpoint: SignedCheckpoint
  readonly note: string
}

/** Undefined where there is no such file yet. */
async function keptIn(
  path: string,
  { files }: Pick<LogDeps, 'files'>,
): Promise<KeptLog | undefined> {
  if (!(await exists(path, files))) return undefined
  const text = new TextDecoder().decode(await readFile(files, path, '--state'))
  try {
    const { key: written, checkpoint } = stateSchema.parse(JSON.parse(text))
    const key = parseVerifierKey(written)
    return { key, checkpoint: openCheckpoint(checkpoint, { log: key }), note: checkpoint }
  } catch {
    throw new Mistake(
      `--state ${path} is not what this command keeps.`,
      'Name a new file to begin anew, which trusts the log for all that came before.',
      'file-unreadable',
    )
  }
}

export async function exists(path: string, files: LogDeps['files']): Promise<boolean> {
  try {
    await files.read(path)
    return true
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return false
    return true
  }
}
