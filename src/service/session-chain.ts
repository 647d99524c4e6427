/**
 * Does a message continue the history that its session told so far? Judged after its signature and before anything that it
 * reports: a history that splits, shrinks or skips means nothing any more, whatever stands in it.
 */
import type { TranscriptDelta } from '../rats/session-message.ts'
import {
  type Checkpoint,
  emptyCheckpoint,
  extended,
  names,
  statementDigest,
  type TranscriptStatement,
} from '../rats/transcript.ts'
import type { SessionRecord } from './session-ports.ts'

export type Continuation =
  /** The next one. */
  | { readonly kind: 'next'; readonly checkpoint: Checkpoint; readonly digest: string }
  /** The last one that was accepted, again: its answer was lost. */
  | { readonly kind: 'repeated' }
  /** Accepted long ago. Anybody who saw it may send it again, so that it costs its session nothing. */
  | { readonly kind: 'old' }
  /** Messages are missing in between. */
  | { readonly kind: 'ahead' }
  /** Only the holder of the key can make such a message: two histories under one name, or one that was rewritten. */
  | { readonly kind: 'broken'; readonly reason: string }

type Told = Pick<
  SessionRecord,
  'seq' | 'statement' | 'boot' | 'collector' | 'dropped' | 'uptimeMs' | 'checkpoint'
>

/** The statement is of this session; that its nonce is the last one's is for whoever asks to see to. */
export function continuationOf(
  session: Told,
  { statement, measurement, behaviour }: TranscriptDelta,
): Continuation {
  const seq = Number(statement.seq)
  if (seq < session.seq) return { kind: 'old' }
  if (seq > session.seq + 1) return { kind: 'ahead' }
  const digest = statementDigest(statement)
  if (seq === session.seq)
    return digest === session.statement
      ? { kind: 'repeated' }
      : broken(`message ${seq} was told before, and said something else`)
  const contradiction = contradictionOf(session, statement)
  if (contradiction) return broken(contradiction)
  const checkpoint = extended(session.checkpoint, { measurement, behaviour })
  return names(statement, checkpoint)
    ? { kind: 'next', checkpoint, digest }
    : broken(`the events of message ${seq} do not lead to the heads that its statement names`)
}

/** The first statement of a session: where its history begins. Otherwise a sentence. */
export function beginningOf({
  statement,
  measurement,
  behaviour,
}: TranscriptDelta): { readonly checkpoint: Checkpoint; readonly digest: string } | string {
  if (statement.seq !== '0') return 'statement.seq must be 0 where a session opens'
  if (statement.previous !== '') return 'statement.previous must be empty where a session opens'
  const checkpoint = extended(emptyCheckpoint(statement), { measurement, behaviour })
  return names(statement, checkpoint)
    ? { checkpoint, digest: statementDigest(statement) }
    : 'the events do not lead to the heads that the statement names'
}

/** Undefined: none. What may only stay or rise must not fall, and what names the machine must stay. */
function contradictionOf(session: Told, statement: TranscriptStatement): string | undefined {
  const { seq, previous, boot, collector, dropped, uptime } = statement
  if (previous !== session.statement)
    return `message ${seq} does not follow the one before: it names another`
  if (boot !== session.boot) return `message ${seq} is of another boot`
  if (collector !== session.collector) return `message ${seq} is of another collector`
  // Not the other way round: what is no number compares as false.
  if (!(Number(dropped) >= session.dropped))
    return `message ${seq} counts ${dropped} lost events, and there were ${session.dropped} before`
  if (!(Number(uptime) >= session.uptimeMs))
    return `message ${seq} is ${uptime} ms after the boot, and the one before was ${session.uptimeMs} ms`
  return undefined
}

function broken(reason: string): Continuation {
  return { kind: 'broken', reason }
}
