/**
 * May the agent go on using what was released to it? Asked again before each lease ends, with a token that is as fresh as the
 * agent's last attestation. A no ends it at once; silence ends it when the lease does; and its end is told, and the secret
 * overwritten, whatever the agent is doing.
 */
import { z } from 'zod'
import { openLeaseStatement } from '../../src/seal/lease-statement.ts'
import { EnvelopeRefused } from '../../src/seal/release-envelope.ts'
import { AnswerDistrusted } from './faults.ts'
import type { FreshToken } from './fresh-token.ts'
import { grantedLease } from './granted-lease.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import type { Present } from './present.ts'
import type { GrantedLease, ReleasedSecret } from './released-secret.ts'
import { isPassing } from './retrying.ts'
import { type Surroundings, stopwatch } from './surroundings.ts'

export interface Lease {
  /** Fires when the secret may not be used any more. Its reason is a LeaseEnded, with the refusal as cause where there was one. */
  readonly signal: AbortSignal
  /**
   * Now, and not when it is due: before something that must not be done once the agent is revoked. Rejects with the LeaseEnded
   * where it is over; with the fault of an attempt that may yet succeed.
   */
  readonly renew: () => Promise<void>
  /** The agent is done with it: the secret is overwritten, and nothing is renewed any more. */
  readonly close: () => void
}

/** `refused`: the service said no. `lapsed`: nobody renewed it in time. `closed`: the agent itself ended it. */
export type LeaseEnd = 'refused' | 'lapsed' | 'closed'

export class LeaseEnded extends Error {
  override readonly name = 'LeaseEnded'
  readonly end: LeaseEnd

  constructor(end: LeaseEnd, message: string, cause?: unknown) {
    super(message, { cause })
    this.end = end
  }
}

export interface Leasing {
  readonly present: Present
  readonly fresh: Pick<FreshToken, 'serviceSeconds' | 'latestServiceSeconds'>
  /** Pinned. */
  readonly issuer: string
  readonly issuerKeys: IssuerKeys
  readonly surroundings: Surroundings
  readonly longestLeaseSeconds: number
  /** When it fires the agent may use nothing any more: its session is over. */
  readonly until?: AbortSignal
}

/** The end is looked for as often, in case the wall clock jumped: a guest that was stopped has other timers than the world. */
const LOOK_MS = 5_000
/** Between two questions, whatever `renewBy` says. */
const LEAST_WAIT_MS = 1_000

export function keepLease(leasing: Leasing, released: ReleasedSecret): Lease {
  const { surroundings } = leasing
  const over = new AbortController()
  let { lease } = released

  const end = (kind: LeaseEnd, sentence: string, cause?: unknown) => {
    if (over.signal.aborted) return
    released.wipe()
    over.abort(new LeaseEnded(kind, `${released.resource}: ${sentence}`, cause))
  }
  const renewNow = async () => {
    over.signal.throwIfAborted()
    try {
      const longer = await renewed(leasing, released, over.signal)
      // It may have ended while the answer was under way.
      over.signal.throwIfAborted()
      lease = longer
    } catch (fault) {
      // Passing faults were tried again already, and will be until the lease itself ends.
      if (!isPassing(fault))
        end('refused', 'its lease was not renewed, and it may not be used any more', fault)
      over.signal.throwIfAborted()
      throw fault
    }
  }
  const watchEnd = async () => {
    for (;;) {
      const left = lease.seconds * 1000 - lease.age()
      if (left <= 0) return end('lapsed', 'its lease ended before it could be renewed')
      await surroundings.wait(Math.min(left, LOOK_MS), over.signal)
    }
  }
  const renewAgainAndAgain = async () => {
    for (;;) {
      await surroundings.wait(renewalWaitMs(lease, surroundings), over.signal)
      await renewNow().catch(() => {})
    }
  }
  const { until } = leasing
  const endWithSession = () => end('refused', 'the session of this agent is over', until?.reason)
  if (until?.aborted) endWithSession()
  until?.addEventListener('abort', endWithSession, { once: true, signal: over.signal })
  // Both end by the signal: what they throw then is the wait's own word for it.
  void watchEnd().catch(() => {})
  void renewAgainAndAgain().catch(() => {})
  return {
    signal: over.signal,
    renew: renewNow,
    close: () => end('closed', 'the agent is done with it'),
  }
}

/** Before `renewBy`, and not at the same moment as everybody else. */
function renewalWaitMs(
  { age, renewAfterSeconds }: GrantedLease,
  { fraction }: Pick<Surroundings, 'fraction'>,
): number {
  const due = renewAfterSeconds * 1000 * (0.8 + 0.2 * fraction())
  return Math.max(due - age(), LEAST_WAIT_MS)
}

const renewalAnswer = z.looseObject({ statement: z.string() })

/** Throws AnswerDistrusted for what the pinned issuer did not sign for this very question. */
async function renewed(
  { present, fresh, issuer, issuerKeys, surroundings, longestLeaseSeconds }: Leasing,
  { release, resource, version }: ReleasedSecret,
  signal: AbortSignal,
): Promise<GrantedLease> {
  const age = stopwatch(surroundings)
  // The id was signed, but it is put into an address: nothing in it may name another.
  const path = `/v1/releases/${encodeURIComponent(release)}/renewals`
  const { document, token, proof } = await present(path, '{}', signal)
  const answer = renewalAnswer.safeParse(document)
  if (!answer.success)
    throw new AnswerDistrusted('the answer is not what a service answers to this')
  const { statement } = answer.data
  const lease = await openLeaseStatement(statement, {
    ...{ keys: await issuerKeys.signing(statement), issuer, release, resource, version },
    ...{ token, proof, at: new Date(fresh.serviceSeconds() * 1000) },
  }).catch(distrusted)
  return grantedLease(lease, {
    age,
    askedAtSeconds: fresh.latestServiceSeconds() - age() / 1000,
    longestSeconds: longestLeaseSeconds,
  })
}

function distrusted(cause: unknown): never {
  if (cause instanceof EnvelopeRefused)
    throw new AnswerDistrusted(`the renewal is not believed: ${cause.message}`)
  throw cause
}
