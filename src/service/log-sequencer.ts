/**
 * Who numbers the leaves? One replica at a time takes what waits, in batches, several times a second, and signs what the log
 * has become in the same transaction: killed anywhere, it leaves the old log or the new one. Nothing waits for it.
 *
 * A log that stands still has no new checkpoint, since its signature says no time; how fresh it is, a witness says.
 */
import type { TreeHead } from '../log/consistency.ts'
import { LogFault } from '../log/log-fault.ts'
import { batchOf } from './log-batch.ts'
import { assertNotOlder, continuable } from './log-head.ts'
import type { LogKey } from './log-key.ts'
import type { LogBatch, LogTransaction } from './log-ports.ts'
import type { Clock, Journal, Store } from './ports.ts'
import type { Chore } from './verifier.ts'

export interface SequencerParts {
  readonly store: Pick<Store, 'sequenceLog' | 'logHead' | 'logTile'>
  readonly key: LogKey
  readonly clock: Clock
  readonly journal: Journal
  readonly pause: () => Promise<void>
}

export interface LogSequencer extends Chore {
  /** Why nothing is signed any more: a sentence for operators. Undefined while all is well. */
  readonly fault: () => string | undefined
  /** This tree was signed by the log, whatever the database knows of it: nothing is signed that does not continue it. */
  readonly remember: (signed: TreeHead) => void
}

const EVERY_MS = 200
/** Hashing and writing that many takes the event loop some 10 ms; what waits beyond that comes after a pause. */
const MOST_LEAVES = 1024
/** So that one run ends: the next comes in 200 ms. */
const MOST_BATCHES = 32

export function logSequencer(parts: SequencerParts): LogSequencer {
  const { store, key, clock, journal, pause } = parts
  let seen: TreeHead | undefined
  let fault: string | undefined

  function remember(signed: TreeHead): void {
    if (!seen || seen.size <= signed.size) seen = signed
  }

  async function make({ head, waiting, tile }: LogTransaction): Promise<LogBatch | undefined> {
    const signer = key.signerFor(head)
    const edge = await continuable(head, { key: signer.key, tile, seen })
    if (head) remember(head)
    if (head && waiting.length === 0) return undefined
    return batchOf({ edge, waiting, signer, at: clock.now() })
  }

  async function look(): Promise<void> {
    const head = await store.logHead()
    if (seen) return assertNotOlder(head, seen)
    await continuable(head, { key: key.signerFor(head).key, tile: store.logTile, seen })
    seen = head
  }

  /** Whether as much was taken as a batch holds, so that more may wait. */
  async function sequence(): Promise<boolean> {
    let made: LogBatch | undefined
    const outcome = await store.sequenceLog(MOST_LEAVES, async (transaction) => {
      made = await make(transaction)
      return made
    })
    if (outcome === 'sequenced' && made) remember(made.head)
    // Nothing waits, and so nothing was looked at.
    else if (!made && outcome === 'nothing') await look()
    return outcome === 'sequenced' && made?.taken.length === MOST_LEAVES
  }

  function tell(event: 'log.stopped' | 'log.resumed', reason?: string): void {
    journal.record({ event, at: clock.now(), ...(reason && { fields: { reason } }) })
  }

  return {
    name: 'log',
    everyMs: EVERY_MS,
    async run() {
      try {
        for (let batch = 0; batch < MOST_BATCHES && (await sequence()); batch++) await pause()
        if (fault !== undefined) tell('log.resumed')
        fault = undefined
      } catch (cause) {
        // The database's own trouble is told by whoever runs the chores.
        if (!(cause instanceof LogFault)) throw cause
        if (fault !== cause.message) tell('log.stopped', cause.message)
        fault = cause.message
      }
    },
    fault: () => fault,
    remember,
  }
}
