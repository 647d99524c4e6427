/**
 * Who else has seen this log? Each configured witness is shown the newest checkpoint and a proof that it continues what that
 * witness saw before, and its cosignature is served with the checkpoint. The log never waits: a witness that is away or
 * refuses is told to the operator, and the checkpoint goes without its signature.
 */
import { encodeSubmission, parseTreeSize, TREE_SIZE_TYPE } from '../log/add-checkpoint.ts'
import { openCheckpoint, parseCheckpoint } from '../log/checkpoint.ts'
import { consistencyProof, type TreeHead } from '../log/consistency.ts'
import { LogFault } from '../log/log-fault.ts'
import { parseNote, verifyNote } from '../log/note.ts'
import type { NoteKey } from '../log/note-key.ts'
import type { LogHead } from './log-ports.ts'
import type { Clock, Journal, Store } from './ports.ts'
import type { Chore } from './verifier.ts'

/** One witness, over HTTP. */
export interface Witness {
  /** A cosignature key. */
  readonly key: NoteKey
  /** `add-checkpoint`. Rejects where no answer comes in a few seconds. */
  readonly submit: (body: string) => Promise<WitnessAnswer>
  /** The checkpoint that it cosigned last, if it tells: C2SP tlog-witness does not say how, `vouchsafe log witness` does. */
  readonly latest: () => Promise<string | undefined>
}

export interface WitnessAnswer {
  readonly status: number
  readonly contentType: string
  /** At most some KiB. */
  readonly body: string
}

export interface LogWitnesses extends Chore {
  /** With the cosignatures that this replica has of that very checkpoint. */
  readonly cosigned: (head: LogHead) => string
  /** What they hold of this log's own signatures: the largest tree. A witness that does not answer is passed over. */
  readonly recall: () => Promise<TreeHead | undefined>
}

interface Relation {
  readonly witness: Witness
  /** What it cosigned last, as far as is known. */
  size: number
  /** Of the newest checkpoint that it cosigned: the note's text, its signature line, and when. */
  last: { readonly text: string; readonly line: string; readonly at: Date } | undefined
  trouble: string | undefined
}

const EVERY_MS = 500
/** A cosignature says when; a log that stands still is shown again, so that its checkpoint stays fresh. */
const FRESH_MS = 5 * 60_000
/** Other replicas show it theirs meanwhile. */
const MOST_ATTEMPTS = 3

export function logWitnesses(
  {
    store,
    clock,
    journal,
    logKey,
    rollback,
  }: {
    readonly store: Pick<Store, 'logHead' | 'logTile'>
    readonly clock: Clock
    readonly journal: Journal
    readonly logKey: () => Promise<NoteKey>
    /** Hears of a larger tree that the log's own key signed. */
    readonly rollback: (signed: TreeHead) => void
  },
  witnesses: readonly Witness[],
): LogWitnesses {
  const relations = witnesses.map(
    (witness): Relation => ({ witness, size: 0, last: undefined, trouble: undefined }),
  )

  async function show(relation: Relation, head: LogHead): Promise<void> {
    const { text } = parseCheckpoint(head.checkpoint)
    const now = clock.now()
    const { last } = relation
    if (last?.text === text && Math.abs(now.getTime() - last.at.getTime()) < FRESH_MS) return
    try {
      const line = await cosignature(relation, head, text)
      if (line === undefined) return
      relation.last = { text, line, at: now }
      relation.size = head.size
      tell(relation, undefined)
    } catch (cause) {
      tell(relation, cause instanceof Error ? cause.message : String(cause))
    }
  }

  /** Undefined where another replica was faster: the next look shows what there is then. Throws LogFault for a refusal. */
  async function cosignature(
    relation: Relation,
    head: LogHead,
    text: string,
  ): Promise<string | undefined> {
    const { witness } = relation
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      // Of a log that was rolled back there is no proof: the witness answers what it cosigned last.
      const oldSize = Math.min(relation.size, head.size)
      const answer = await submit(witness, head, oldSize)
      if (answer.status === 200) return cosignatureLine(answer, witness.key, text)
      const size = conflictOf(answer)
      if (size === undefined) throw new LogFault(`answered ${answer.status}, and 200 was expected`)
      if (size === oldSize || (size > head.size && !(await isKnown(size)))) {
        await remember(witness)
        throw new LogFault(conflictText(size, head))
      }
      if (size > head.size) return undefined
      relation.size = size
    }
    return undefined
  }

  async function isKnown(size: number): Promise<boolean> {
    return ((await store.logHead())?.size ?? 0) >= size
  }

  /** A witness's word alone stops nothing, or it could stop the log at will; our own signature does. */
  async function remember(witness: Witness): Promise<void> {
    const signed = await signedAt(witness)
    if (signed) rollback(signed)
  }

  async function signedAt({ latest }: Witness): Promise<TreeHead | undefined> {
    try {
      const note = await latest()
      return note === undefined ? undefined : openCheckpoint(note, { log: await logKey() })
    } catch {
      return undefined
    }
  }

  async function submit(
    witness: Witness,
    { checkpoint, size }: LogHead,
    oldSize: number,
  ): Promise<WitnessAnswer> {
    const proof = await consistencyProof(store.logTile, { from: oldSize, to: size })
    return await witness.submit(encodeSubmission({ oldSize, proof, checkpoint }))
  }

  function tell(relation: Relation, trouble: string | undefined): void {
    if (trouble === relation.trouble) return
    relation.trouble = trouble
    const fields = { witness: relation.witness.key.name, state: trouble ?? 'cosigns' }
    journal.record({ event: 'log.witnesses', at: clock.now(), fields })
  }

  return {
    name: 'log-witnesses',
    everyMs: EVERY_MS,
    async run() {
      const head = relations.length > 0 ? await store.logHead() : undefined
      if (head) await Promise.all(relations.map((relation) => show(relation, head)))
    },
    async recall() {
      const signed = await Promise.all(witnesses.map(signedAt))
      return signed.filter((each) => each !== undefined).toSorted((a, b) => b.size - a.size)[0]
    },
    cosigned({ checkpoint }) {
      const { text } = parseCheckpoint(checkpoint)
      const lines = relations.flatMap(({ last }) => (last?.text === text ? [last.line] : []))
      return checkpoint + lines.join('')
    },
  }
}

function conflictOf({ status, contentType, body }: WitnessAnswer): number | undefined {
  return status === 409 && contentType.startsWith(TREE_SIZE_TYPE) ? parseTreeSize(body) : undefined
}

/** A witness that saw more than there is, or another tree of this size, is what witnesses are for. */
function conflictText(seen: number, { size }: LogHead): string {
  return seen > size
    ? `cosigned ${seen} leaves, and the log has ${size}: the log is older than what it told before`
    : `cosigned another log of ${seen} leaves: compare its state with this log before anything else`
}

/** The one line of the answer that is this witness's and holds. Throws LogFault. */
function cosignatureLine({ body }: WitnessAnswer, key: NoteKey, text: string): string {
  for (const line of body.split('\n').filter((each) => each.includes(` ${key.name} `))) {
    const note = parseNote(`${text}\n${line}\n`)
    if (verifyNote(note, [key]).length === 1) return `${line}\n`
  }
  throw new LogFault(`answered without a cosignature by ${key.name}+${key.id}`)
}
