/**
 * What has happened on this machine that the verifier was not told yet? What the session client asks before each message, and
 * what the sensor, the sandbox and the agent's model calls are fed into. The one that watches this machine: watching.ts.
 *
 * Events are handed out at least once, in one order: an answer begins with what the answer before began with, until `confirm`
 * says how much of it was accepted.
 */
import type { Behaviour } from '../../src/rats/runtime-event.ts'
import type { Watch } from '../../src/rats/transcript.ts'

export interface Collector {
  /** `sha256:<hex>` over the files of whatever watches. */
  readonly collector: string
  /** Id of the kernel’s boot, as `TranscriptStatement.boot`. */
  readonly boot: string
  /** Sorted, each once. What is watched now: it may lose one (the sensor ended) and never says more than it does. */
  readonly modes: readonly Watch[]
  /**
   * Looks again, then says what is new and not confirmed, as much as one message may hold. Takes as long as a full look takes,
   * bounded by the collector’s time limit; calls at the same time share a look.
   */
  readonly measure: (challenge?: MeasureChallenge) => Promise<Measured>
  /** So many events from the beginning of the last answer were accepted by the verifier, and will not come again. */
  readonly confirm: (accepted: EventCounts) => void
  /**
   * Another session begins: measurements of this boot come again from the first (RTMR3 replays from zero), and behaviour that
   * was never confirmed.
   */
  readonly restart: () => void
  /** Model tokens and millionths of a US dollar that the agent spent: joins the running interval. */
  readonly spent: (usage: ModelSpending) => void
  /** A plugin’s call, a reaction, or anything else that is worth a line of its own. Throws TypeError for what is no event. */
  readonly report: (event: Behaviour) => void
  /** The agent has written to a state path that the manifest names. It is measured with the next look, whatever its stat says. */
  readonly changedState: (path: string) => void
  readonly close: () => Promise<void>
}

export interface MeasureChallenge {
  /** Of the verifier’s last answer: chooses which blocks of memory are compared, so that nobody can prepare for it. */
  readonly nonce: string
  /** `full`: every block of executable memory, and every file read again. Default `sample`. */
  readonly extent?: 'sample' | 'full'
}

export interface Measured {
  readonly measurement: readonly string[]
  readonly behaviour: readonly string[]
  /** Events that were lost since the sensor started, here or there. It only rises. */
  readonly dropped: number
  /** Since the machine started. */
  readonly uptimeMs: number
  /** False: there is more than one message may hold. It comes after `confirm`, and belongs to the verifier before a quote is taken. */
  readonly isComplete: boolean
}

export interface EventCounts {
  readonly measurement: number
  readonly behaviour: number
}

export interface ModelSpending {
  readonly tokens: number
  readonly microUsd: number
}
