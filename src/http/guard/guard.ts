/** What stands before every request: who is counted for it, whether there is room, how much of it is held. Of one replica. */
import type { GuardConfig } from '../../config/guard-settings.ts'
import { type Admission, admission } from './admission.ts'
import { type BodyRoom, bodyRoom } from './body-room.ts'
import { type Budgets, budgets, type Exhausted } from './budgets.ts'
import { type CallerNames, callerNames } from './caller.ts'
import { type ConnectionShares, connectionShares } from './connections.ts'
import { watchLoopDelay } from './loop-delay.ts'

export interface Guard extends CallerNames, Budgets {
  readonly admission: Admission
  /**
   * Of what sessions say: as much room as it takes to hear every agent of a replica, since who is not heard is suspended. Only what
   * a minute of work would not answer is turned away.
   */
  readonly messages: Admission
  /** Of callers. */
  readonly bodies: BodyRoom
  /** Of operators, who get in while strangers fill the other: what they ask may be what ends the flood. */
  readonly operatorBodies: BodyRoom
  readonly connections: ConnectionShares
  readonly close: () => void
}

/** 256 of the largest bodies. */
const MOST_BODY_BYTES = 128 * 1024 * 1024
/** One operator's share is four of the largest bodies, and most have a few KiB. */
const MOST_OPERATOR_BODY_BYTES = 32 * 1024 * 1024

/** Each waits for the database most of the time. */
const messageRoom = {
  mostInFlight: 512,
  mostWaiting: 8192,
  mostLoopDelayMs: Number.POSITIVE_INFINITY,
}

/** `turnedAway`: what to tell the metrics of whoever found a quota used up. */
export function openGuard(
  { rateLimits, trustedProxies, admission: admissionConfig, mostConnections }: GuardConfig,
  turnedAway: (what: Exhausted) => void = () => {},
): Guard {
  const loop = watchLoopDelay()
  const names = callerNames(trustedProxies)
  return {
    ...names,
    ...budgets(rateLimits, turnedAway),
    admission: admission({ ...admissionConfig, loopDelayMs: loop.lateMs }),
    messages: admission({ ...messageRoom, loopDelayMs: () => 0 }),
    bodies: bodyRoom(MOST_BODY_BYTES),
    operatorBodies: bodyRoom(MOST_OPERATOR_BODY_BYTES),
    connections: connectionShares(mostConnections, names),
    close: loop.stop,
  }
}
