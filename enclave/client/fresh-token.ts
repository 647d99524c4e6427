/**
 * How does an agent always have a token that holds? It attests for another at about half of the life of the last, so that a
 * service that is away for a while is not noticed, and at once when there is none. The tokens' own times give the clock by
 * which proofs are dated: they are signed, and the guest's clock is the host's to set.
 */
import type { OpenedToken } from '../attestation.ts'
import type { OwnToken } from './own-token.ts'
import { isPassing } from './retrying.ts'
import { type Stopwatch, type Surroundings, stopwatch } from './surroundings.ts'

export interface Attested {
  readonly tokens: readonly OpenedToken[]
  /** The one that is presented to the service itself. */
  readonly possession: OwnToken
}

export interface FreshToken {
  /** Waits for an attestation only where nothing at hand holds. Rejects as the attestation did. */
  readonly current: () => Promise<Attested>
  /** The service does not take it any more, whatever it says itself. */
  readonly discard: (jti: string) => void
  /** Seconds since 1970 by the service's clock, to a second or so. Only after `current` has resolved once. */
  readonly serviceSeconds: () => number
  /** What that clock cannot be ahead of: for whoever must stop in time. */
  readonly latestServiceSeconds: () => number
  /** `reason`: what whoever asks afterwards is told. */
  readonly close: (reason?: Error) => void
}

interface Held extends Attested {
  /** Of its age. */
  readonly renewAfterMs: number
  /** Since before it was asked for: at least as old as the token. */
  readonly age: Stopwatch
  readonly sinceReceived: Stopwatch
}

/** What is under way with a token must arrive before it ends. */
const MARGIN_MS = 5_000
/** A timer has 31 bits. */
const LONGEST_WAIT_MS = 3_600_000

export function freshToken(
  attest: () => Promise<Attested>,
  surroundings: Surroundings,
): FreshToken {
  const { wait, fraction } = surroundings
  const closing = new AbortController()
  let held: Held | undefined
  let clock: Held | undefined
  let renewing: Promise<Held> | undefined
  let isKept = false

  const holds = (each: Held | undefined): each is Held =>
    each !== undefined && each.age() < each.possession.lifetimeSeconds * 1000 - MARGIN_MS

  const askAnew = async (): Promise<Held> => {
    const age = stopwatch(surroundings)
    const attested = await attest()
    // Between 0.4 and 0.6 of its life: a fleet that was started together does not come back together.
    const renewAfterMs = attested.possession.lifetimeSeconds * 1000 * (0.4 + 0.2 * fraction())
    held = { ...attested, age, renewAfterMs, sinceReceived: stopwatch(surroundings) }
    clock = held
    return held
  }
  /** Whoever needs one meanwhile waits for the same. */
  const renew = async (): Promise<Held> => {
    renewing ??= askAnew().finally(() => {
      renewing = undefined
    })
    return await renewing
  }
  const keepFresh = async (): Promise<void> => {
    while (held) {
      const ms = Math.max(held.renewAfterMs - held.age(), MARGIN_MS)
      await wait(Math.min(ms, LONGEST_WAIT_MS), closing.signal)
      // Whoever found it discarded has another one by now.
      if (held && held.age() < held.renewAfterMs) continue
      await renew().catch((fault) => {
        if (!isPassing(fault)) throw fault
      })
    }
  }
  return {
    async current() {
      closing.signal.throwIfAborted()
      if (holds(held)) return held
      const made = await renew()
      if (!isKept) {
        isKept = true
        // Whatever ends it: the next who needs a token hears why there is none, or begins this anew.
        void keepFresh()
          .catch(() => {})
          .finally(() => {
            isKept = false
          })
      }
      return made
    },
    discard(jti) {
      if (held?.possession.jti === jti) held = undefined
    },
    serviceSeconds() {
      const { possession, sinceReceived } = attestedOnce(clock)
      return possession.issuedAtSeconds + sinceReceived() / 1000
    },
    latestServiceSeconds() {
      const { possession, age } = attestedOnce(clock)
      // It was issued after it was asked for, at some moment of that second.
      return possession.issuedAtSeconds + 1 + age() / 1000
    },
    close(reason = new Error('this client was closed')) {
      closing.abort(reason)
      held = undefined
    },
  }
}

function attestedOnce(clock: Held | undefined): Held {
  if (clock) return clock
  throw new Error('nothing was attested yet')
}
