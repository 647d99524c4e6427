/**
 * May this checkpoint be cosigned? C2SP tlog-witness, `add-checkpoint`: only if the log signed it and it continues what was
 * cosigned before. Whoever uses this keeps the new head, durably, before the cosignature leaves, and judges one submission
 * after the other.
 */
import { sameBytes } from '../bytes/encoding.ts'
import { parseSubmission, type Submission } from './add-checkpoint.ts'
import { parseCheckpoint } from './checkpoint.ts'
import { isConsistent, type TreeHead } from './consistency.ts'
import { LogFault } from './log-fault.ts'
import { parseNote, verifyNote } from './note.ts'
import type { NoteKey } from './note-key.ts'
import { EMPTY_ROOT } from './tree-hash.ts'

export type Judged =
  | { readonly status: 200; readonly head: TreeHead; readonly text: string }
  /** The size that was cosigned last. */
  | { readonly status: 409; readonly size: number; readonly reason: string }
  | { readonly status: 400 | 403 | 404 | 422; readonly reason: string }

/** `latest`: what was cosigned last; undefined: nothing. Never throws for what was submitted. */
export function judgeSubmission(
  body: string,
  { log, latest }: { readonly log: NoteKey; readonly latest: TreeHead | undefined },
): Judged {
  try {
    const submission = parseSubmission(body)
    const checkpoint = parseCheckpoint(submission.checkpoint)
    if (checkpoint.origin !== log.name)
      return { status: 404, reason: `this witness watches ${log.name}` }
    if (!isSigned(submission, log))
      return { status: 403, reason: `no signature by ${log.name}+${log.id} holds` }
    return judgeHead(submission, { head: checkpoint, latest, text: checkpoint.text })
  } catch (cause) {
    if (cause instanceof LogFault) return { status: 400, reason: cause.message }
    throw cause
  }
}

function isSigned({ checkpoint }: Submission, log: NoteKey): boolean {
  try {
    return verifyNote(parseNote(checkpoint), [log]).length === 1
  } catch (cause) {
    if (cause instanceof LogFault) return false
    throw cause
  }
}

function judgeHead(
  { oldSize, proof }: Submission,
  {
    head: { size, root },
    latest = { size: 0, root: EMPTY_ROOT },
    text,
  }: { readonly head: TreeHead; readonly latest: TreeHead | undefined; readonly text: string },
): Judged {
  if (oldSize > size)
    return { status: 400, reason: `the old size ${oldSize} is beyond the checkpoint's ${size}` }
  if (oldSize !== latest.size)
    return { status: 409, size: latest.size, reason: `${latest.size} leaves were cosigned last` }
  if (size === latest.size && !sameBytes(root, latest.root))
    return { status: 409, size, reason: `another root of ${size} leaves was cosigned` }
  if (!isConsistent(latest, { size, root }, proof))
    return { status: 422, reason: `the proof does not lead from ${oldSize} to ${size} leaves` }
  return { status: 200, head: { size, root }, text }
}
