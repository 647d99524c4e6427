/**
 * Many commits in one: whatever arrives while the database is busy waits, and is written together by the next transaction.
 * One alone waits for nobody. Measured on PostgreSQL, this is 5 times the throughput of one transaction each.
 */
import { Problem } from '../problems.ts'
import { sqlState } from './sql-answered.ts'

export interface GroupCommitTerms<Item, Outcome> {
  /** In one transaction. */
  readonly most: number
  readonly inFlight: number
  /** What waits beyond this is refused at once: the database has fallen too far behind. */
  readonly mostWaiting: number
  /**
   * Where one transaction costs much, and hardly more for many: for how long the first of several waits for the others, in
   * ms. Who comes alone, as much as this after the one before, waits for nobody. 0: never.
   */
  readonly gatherMs: number
  /** All or nothing, durable when it resolves, one outcome for each in the same order. */
  readonly write: (items: readonly Item[]) => Promise<readonly Outcome[]>
}

interface Waiting<Item, Outcome> {
  readonly item: Item
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

export function groupCommit<Item, Outcome>({
  most,
  inFlight,
  mostWaiting,
  gatherMs,
  write,
}: GroupCommitTerms<Item, Outcome>): (item: Item) => Promise<Outcome> {
  const waiting: Waiting<Item, Outcome>[] = []
  let running = 0
  let cameLast = Number.NEGATIVE_INFINITY
  let isGathering = false

  /** Never rejects: every item hears of its own outcome. */
  async function writeAll(batch: readonly Waiting<Item, Outcome>[]): Promise<void> {
    try {
      const outcomes = await write(batch.map(({ item }) => item))
      batch.forEach(({ resolve, reject }, n) => {
        const outcome = outcomes[n]
        if (outcome === undefined) reject(new Error('an item of a batch has no outcome'))
        else resolve(outcome)
      })
    } catch (error) {
      // Strangers share a transaction: what is wrong with one must not fail the others.
      if (batch.length > 1 && isOfOneItem(error)) for (const each of batch) await writeAll([each])
      else for (const { reject } of batch) reject(error)
    }
  }

  function next(): void {
    isGathering = false
    if (running >= inFlight || waiting.length === 0) return
    running += 1
    void writeAll(waiting.splice(0, most)).then(() => {
      running -= 1
      if (waiting.length > 0) soon({ areSeveral: true })
    })
    next()
  }

  function soon({ areSeveral }: { readonly areSeveral: boolean }): void {
    if (isGathering) return
    isGathering = true
    if (gatherMs > 0 && areSeveral) setTimeout(next, gatherMs)
    // Whatever else arrives in this turn comes along.
    else queueMicrotask(next)
  }

  return (item) =>
    new Promise((resolve, reject) => {
      if (waiting.length >= mostWaiting) {
        reject(
          new Problem('storage-unavailable', 'the database has fallen behind', {
            retryAfterSeconds: 5,
          }),
        )
        return
      }
      waiting.push({ item, resolve, reject })
      const now = performance.now()
      const areSeveral = now - cameLast < gatherMs
      cameLast = now
      if (running < inFlight) soon({ areSeveral })
    })
}

/**
 * Whether writing the others without the one that is at fault may succeed: wrong data (classes 21, 22), a violated
 * constraint (23), a deadlock or conflict (40), a limit (54), or what our own encoder refused. Anything else, a lost
 * connection above all, fails every one.
 */
function isOfOneItem(error: unknown): boolean {
  if (error instanceof RangeError || error instanceof TypeError) return true
  const code = sqlState(error) ?? ''
  return /^(?:21|22|23|40|54)[0-9A-Z]{3}$/.test(code)
}
