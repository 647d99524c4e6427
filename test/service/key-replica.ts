/** A replica as far as keys go: rings of one issuer, a chore, and a clock that the test moves. */
import { randomBytes } from 'node:crypto'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { eventFeed } from '#src/service/event-feed.ts'
import { keyChore, reloadOnEvents } from '#src/service/key-chores.ts'
import type { RotationRoom } from '#src/service/key-rotation.ts'
import { openChallengeKeys, openIssuer } from '#src/service/keys.ts'
import type { JournalEntry, Store } from '#src/service/ports.ts'
import { steadyClock } from '#src/service/steady-clock.ts'

export const START = Date.parse('2026-06-01T00:00:00Z')
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
export const url = 'https://a.example'
export const possession = `possession:${url}` as const

export interface Replica {
  readonly room: RotationRoom
  readonly clock: { at: number }
  readonly journal: JournalEntry[]
  readonly issuer: Awaited<ReturnType<typeof openIssuer>>['issuer']
  readonly challenges: Awaited<ReturnType<typeof openChallengeKeys>>['keys']
  /** The time goes by on both clocks; whoever sets `clock.at` sets the one on the wall alone. */
  readonly letClockPass: (ms: number) => void
  readonly tend: () => Promise<void>
  /** Hears of what the others did. */
  readonly hear: () => Promise<void>
  readonly now: () => Date
  readonly kid: () => string
  readonly kids: () => readonly string[]
}

export async function replica(
  store: Store = memoryStore(),
  at = START,
  forgets: 'at once' | 'while its clock is steady' = 'at once',
): Promise<Replica> {
  const clock = { at }
  let elapsed = 0
  const begun = new Date(at)
  const steady = steadyClock({ elapsedMs: () => elapsed, at: begun, newest: begun })
  const mayForget = forgets === 'at once' ? () => true : steady.mayForget
  const journal: JournalEntry[] = []
  const room: RotationRoom = {
    store,
    random: { bytes: (size) => new Uint8Array(randomBytes(size)) },
    clock: { now: () => new Date(clock.at) },
    keyEncryption: [keyEncryptionBySecret('file', new Uint8Array(32).fill(1))],
    journal: { record: (entry) => journal.push(entry) },
  }
  const events = await eventFeed(store)
  const { issuer, rings } = await openIssuer(room, { url, assurance: 'simulated' })
  const { keys: challenges, ring } = await openChallengeKeys(room)
  const all = [ring, ...rings]
  reloadOnEvents(room, { rings: all, events })
  const now = () => new Date(clock.at)
  return {
    room,
    clock,
    journal,
    issuer,
    challenges,
    letClockPass(ms) {
      clock.at += ms
      elapsed += ms
    },
    tend: keyChore({ ...room, mayForget }, all).run,
    async hear() {
      await events.poll()
      await Promise.all(all.map((each) => each.reload()))
    },
    now,
    kid: () => issuer.signer('possession', now()).kid,
    kids: () =>
      issuer
        .published()
        .filter(({ form }) => form === 'possession')
        .map(({ kid }) => kid),
  }
}
