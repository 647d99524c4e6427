/** What is old is forgotten, unless the clock that says so was set a moment ago: then that is said instead. */
import type { Clock, Journal, Store } from './ports.ts'
import { forgetHandshakes, forgetOld } from './retention.ts'
import type { SteadyClock } from './steady-clock.ts'

export interface ForgettingParts {
  readonly store: Store
  readonly clock: Clock
  readonly journal: Journal
  readonly steady: SteadyClock
}

/** To be called once a minute. Throws Problem('storage-unavailable'). */
export async function forgetUnlessStepped({
  store,
  clock,
  journal,
  steady,
}: ForgettingParts): Promise<void> {
  const at = clock.now()
  const { mayForget, stepMs } = steady.look(at)
  if (stepMs !== 0)
    journal.record({ event: 'clock.stepped', at, fields: { seconds: stepMs / 1000 } })
  await forgetHandshakes(store, at)
  if (mayForget) await forgetOld(store, at)
}
