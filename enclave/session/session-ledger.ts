/**
 * What did this session tell its verifier so far, and what does the next message say? Kept as a value: the ledger moves on only
 * once a message was accepted, so whatever was not can be said again, or otherwise.
 */
import type { TranscriptDelta } from '../../src/rats/session-message.ts'
import {
  type Checkpoint,
  emptyCheckpoint,
  extended,
  statementDigest,
  type Watch,
} from '../../src/rats/transcript.ts'

export interface Ledger {
  readonly session: string
  readonly boot: string
  /** Of the next message. */
  readonly seq: number
  /** What the events of the next message continue. */
  readonly checkpoint: Checkpoint
  /** Digest of the last accepted statement; empty before the first. */
  readonly previous: string
  /** Digest of the policy that the verifier named last; empty before the first answer. */
  readonly policy: string
}

/** What there is to tell, and by whom it was seen. */
export interface Observed {
  readonly measurement: readonly string[]
  readonly behaviour: readonly string[]
  readonly dropped: number
  readonly uptimeMs: number
  readonly collector: string
  readonly modes: readonly Watch[]
}

export interface NextMessage {
  readonly delta: TranscriptDelta
  /** Where the session stands once it was accepted. `policy`: digest, from the answer. */
  readonly accepted: (policy: string) => Ledger
}

/** `session`: 16 random bytes in base64url. */
export function openLedger(names: Pick<Ledger, 'session' | 'boot'>): Ledger {
  return { ...names, seq: 0, checkpoint: emptyCheckpoint(names), previous: '', policy: '' }
}

export function nextMessage(ledger: Ledger, observed: Observed): NextMessage {
  const { session, boot, seq, previous, policy } = ledger
  const { measurement, behaviour } = observed
  const checkpoint = extended(ledger.checkpoint, observed)
  const statement = {
    session,
    boot,
    seq: String(seq),
    measurements: String(checkpoint.measurement.count),
    measurement_head: checkpoint.measurement.head,
    behaviours: String(checkpoint.behaviour.count),
    behaviour_head: checkpoint.behaviour.head,
    dropped: String(observed.dropped),
    previous,
    policy,
    uptime: String(Math.floor(observed.uptimeMs)),
    collector: observed.collector,
    modes: [...new Set(observed.modes)].sort().join(' '),
  }
  return {
    delta: { statement, measurement: [...measurement], behaviour: [...behaviour] },
    accepted: (policy) => ({
      ...{ session, boot, policy },
      seq: seq + 1,
      checkpoint,
      previous: statementDigest(statement),
    }),
  }
}
