/** What has this witness cosigned? One submission after the other is judged, and the new head is on the disk before its cosignature leaves. */
import { TREE_SIZE_TYPE } from '../log/add-checkpoint.ts'
import type { TreeHead } from '../log/consistency.ts'
import { signatureLine } from '../log/note.ts'
import { type NoteSigner, verifierKeyText } from '../log/note-key.ts'
import { judgeSubmission } from '../log/witness.ts'
import type { LogDeps } from './log-deps.ts'
import { type LogTrust, stateText } from './log-trust.ts'

export interface WitnessAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** Of a refusal, for people. */
  readonly reason: string
}

export interface Witness {
  /** `add-checkpoint`. Rejects where the state cannot be kept; nothing was cosigned then. */
  readonly add: (body: string) => Promise<WitnessAnswer>
  /** The checkpoint that was cosigned last, as the log signed it. */
  readonly latest: () => string | undefined
}

const TEXT = 'text/plain; charset=utf-8'

export function witnessOf(
  {
    trust,
    signer,
    state,
  }: { readonly trust: LogTrust; readonly signer: NoteSigner; readonly state: string },
  { keepFile, now }: Pick<LogDeps, 'keepFile' | 'now'>,
): Witness {
  let latest: TreeHead | undefined =
    trust.older.size > 0 || trust.from === 'kept' ? trust.older : undefined
  let note = trust.note
  let last: Promise<unknown> = Promise.resolve()

  async function judged(body: string): Promise<WitnessAnswer> {
    const answer = judgeSubmission(body, { log: trust.key, latest })
    switch (answer.status) {
      case 200: {
        const checkpoint = body.slice(body.indexOf('\n\n') + 2)
        const kept = stateText({ vkey: verifierKeyText(trust.key), note: checkpoint })
        await keepFile(state, new TextEncoder().encode(kept))
        latest = answer.head
        note = checkpoint
        const line = signatureLine(answer.text, signer, now())
        return { status: 200, contentType: TEXT, body: line, reason: '' }
      }
      case 409:
        return { ...answer, contentType: TREE_SIZE_TYPE, body: `${answer.size}\n` }
      default:
        return { ...answer, contentType: TEXT, body: `${answer.reason}\n` }
    }
  }

  return {
    latest: () => note,
    // Checked and kept as one: otherwise a slow submission could take back what a later one brought.
    add(body) {
      const turn = last.then(() => judged(body))
      last = turn.catch(() => {})
      return turn
    },
  }
}
