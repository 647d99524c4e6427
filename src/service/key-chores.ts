/** When does a replica look at its keys again? When one of them says that they changed, and every minute in any case. */
import type { EventFeed } from './event-feed.ts'
import { isRotated, type RotationRoom, type TendingRoom, tendKeys } from './key-rotation.ts'
import type { AnyKeyRing } from './keys.ts'
import type { Chore } from './verifier.ts'

const TENDED_MS = 60_000

/** Adds, forgets and reads again, ring after ring: what is wrong with one keeps nothing from the others. */
export function keyChore(room: TendingRoom, rings: readonly AnyKeyRing[]): Chore {
  return {
    name: 'keys',
    everyMs: TENDED_MS,
    async run() {
      const failures: unknown[] = []
      for (const ring of rings)
        try {
          if (isRotated(ring.purpose)) await tendKeys(room, ring.purpose)
          await ring.reload()
        } catch (cause) {
          failures.push(cause)
        }
      if (failures.length > 0) throw failures[0]
    },
  }
}

/** A key that was revoked signs nothing any more as soon as the event is here; what goes wrong is done again by the chore. */
export function reloadOnEvents(
  { journal, clock }: Pick<RotationRoom, 'journal' | 'clock'>,
  { rings, events }: { readonly rings: readonly AnyKeyRing[]; readonly events: EventFeed },
): void {
  events.subscribe(({ kind, fields }) => {
    if (kind !== 'keys.changed') return
    for (const ring of rings)
      if (fields.purpose === undefined || fields.purpose === ring.purpose)
        ring.reload().catch((cause: unknown) => {
          journal.record({ event: 'request.failed', at: clock.now(), cause })
        })
  })
}

/** After what was done here, without waiting to be told of it. */
export async function reloadAll(rings: readonly AnyKeyRing[]): Promise<void> {
  await Promise.all(rings.map((ring) => ring.reload()))
}
