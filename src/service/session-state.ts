/**
 * In which state is a session now? Read off what is stored and the clock, whenever somebody asks: no timer makes a session late,
 * so none can be lost with a replica, and nothing but a message of the session makes its state better.
 */
import type { SessionState } from '../rats/session-message.ts'
import type { Outage, SessionRecord, Standing } from './session-ports.ts'

/** Heartbeats that are missing, before a session is late, and before it has to bring a full quote. */
const LATE_AFTER = 2
const SUSPENDED_AFTER = 4
/** Of one outage. A machine that was unheard for longer has to show itself, whoever was to blame. */
const MOST_FORGIVEN_MS = 10 * 60_000
/** Clocks of replicas agree by this much. */
const CLOCKS_AGREE_MS = 2_000

export type JudgedSession = Pick<SessionRecord, 'standing' | 'heardAt' | 'heartbeatSeconds'>

export interface Moment {
  readonly at: Date
  /** When no agent could be heard. */
  readonly outages: readonly Outage[]
}

/**
 * `ACTIVE` is only who was heard lately, by the clock: it may have secrets and tokens, and an outage of ours is no reason to let
 * them out to whoever was silent. An outage only keeps late sessions from being suspended, all at once and for no fault.
 *
 * A message from the future was heard by a clock that has been set back since. Nobody knows how long such a session was silent: it
 * is late until it is heard again.
 */
export function stateOf(session: JudgedSession, { at, outages }: Moment): SessionState {
  const { standing, heardAt, heartbeatSeconds } = session
  if (standing !== 'open') return decided[standing]
  const now = at.getTime()
  const heard = heardAt.getTime()
  const missed = (ms: number) => ms / (heartbeatSeconds * 1000)
  if (heard > now + CLOCKS_AGREE_MS) return 'LATE'
  // Not the other way round: what is no time at all compares as false.
  if (missed(now - heard) < LATE_AFTER) return 'ACTIVE'
  const silence = now - heard - forgivenMs(outages, heard, now)
  return missed(silence) < SUSPENDED_AFTER ? 'LATE' : 'SUSPENDED'
}

const decided: Readonly<Record<Exclude<Standing, 'open'>, SessionState>> = {
  suspended: 'SUSPENDED',
  quarantined: 'QUARANTINED',
  revoked: 'REVOKED',
  closed: 'CLOSED',
}

/** After this it is LATE. */
export function leaseUntil({
  heardAt,
  heartbeatSeconds,
}: Pick<SessionRecord, 'heardAt' | 'heartbeatSeconds'>): Date {
  return new Date(heardAt.getTime() + LATE_AFTER * heartbeatSeconds * 1000)
}

/** Whoever was not heard since then may have no secret at `at`: the same limit, for what is looked at in a transaction. */
export function heardSince(
  at: Date,
  { heartbeatSeconds }: Pick<SessionRecord, 'heartbeatSeconds'>,
): Date {
  return new Date(at.getTime() - LATE_AFTER * heartbeatSeconds * 1000)
}

/** Of the time between, how much was no fault of the agent's. Outages may overlap, and nothing is forgiven twice. */
function forgivenMs(outages: readonly Outage[], from: number, until: number): number {
  let forgiven = 0
  let reached = from
  for (const outage of outages.toSorted((a, b) => a.from.getTime() - b.from.getTime())) {
    const began = Math.max(outage.from.getTime(), reached)
    const ended = Math.min(outage.until.getTime(), until)
    if (!(began < ended)) continue
    forgiven += Math.min(ended - began, MOST_FORGIVEN_MS)
    reached = ended
  }
  return forgiven
}
