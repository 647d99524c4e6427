/** What does a log send to a witness? The body of `add-checkpoint`, C2SP tlog-witness: old size, consistency proof, checkpoint. */
import { fromExactBase64, toBase64 } from './base64.ts'
import { MOST_PATH_HASHES } from './inclusion.ts'
import { LogFault } from './log-fault.ts'
import { HASH_SIZE } from './tree-hash.ts'

/** Of the answer that says which size the witness cosigned last. */
export const TREE_SIZE_TYPE = 'text/x.tlog.size'
/** Proof, text and the signatures of many witnesses, some of which may be post-quantum. */
export const LARGEST_SUBMISSION = 64 * 1024

export interface Submission {
  /** What the log believes that the witness cosigned last; 0 where it does not know. */
  readonly oldSize: number
  /** From there to the checkpoint. */
  readonly proof: readonly Uint8Array[]
  /** Signed note. */
  readonly checkpoint: string
}

export function encodeSubmission({ oldSize, proof, checkpoint }: Submission): string {
  return [`old ${oldSize}`, ...proof.map(toBase64), '', checkpoint].join('\n')
}

/** Throws LogFault. The checkpoint is not looked into. */
export function parseSubmission(body: string): Submission {
  const split = body.indexOf('\n\n')
  const [old = '', ...lines] = body.slice(0, Math.max(split, 0)).split('\n')
  const [, size] = /^old (0|[1-9]\d{0,15})$/.exec(old) ?? []
  if (size === undefined || !Number.isSafeInteger(Number(size)))
    throw new LogFault('the first line is not `old`, a space and a size')
  if (lines.length > MOST_PATH_HASHES)
    throw new LogFault(`a proof has at most ${MOST_PATH_HASHES} lines, not ${lines.length}`)
  const proof = lines.map((line) => {
    const hash = fromExactBase64(line)
    if (hash?.length !== HASH_SIZE) throw new LogFault('a line of the proof is no hash in base64')
    return hash
  })
  return { oldSize: Number(size), proof, checkpoint: body.slice(split + 2) }
}

/** Undefined for anything but a size and a newline. */
export function parseTreeSize(body: string): number | undefined {
  const [, size] = /^(0|[1-9]\d{0,15})\n$/.exec(body) ?? []
  return size !== undefined && Number.isSafeInteger(Number(size)) ? Number(size) : undefined
}
