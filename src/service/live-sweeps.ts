/**
 * Of live tokens, which must be looked at, and how often? After a policy that decides differently, those that its
 * predecessors may have let pass; after a vendor's news, all. What was looked at stays so for as long as the policies decide
 * alike about its agent, however often a look is interrupted. Values only: live-watch.ts does the looking.
 */
import type { Policy } from '../policy/policy.ts'
import { decideAlike, rulesAndRevocationsAgree, sameRelease } from './policy-comparison.ts'
import type { AppraisalRecord } from './ports.ts'
import type { Agent, Examined, Settled } from './reappraise-live.ts'
import type { TokenRecord } from './token-ports.ts'

/** A replica that has not heard of a policy yet goes on issuing for two seconds or so, ten at the worst. */
const ROUNDS_MS = [0, 12_000, 60_000] as const
/** What is issued later than this was judged by what was new then, on every replica; the rest is for clocks. */
const STRAGGLERS_MS = 5 * 60_000
/** No token lives longer than fifteen minutes (token/lifetime.ts); the rest is for clocks. */
const LONGEST_TOKEN_MS = 20 * 60_000
/** After a round that could not judge everything: a vendor was silent, or a rule could not be asked. */
const AGAIN_MS = 60_000
/** Of the above, and a little for the rounding of clocks. */
const LONGEST_WAIT_MS = Math.max(...ROUNDS_MS, AGAIN_MS) + 1_000
/** Whole policies are kept. Who changes more often than that looks at everything. */
const MOST_PREDECESSORS = 8

export interface Rounds {
  readonly began: Date
  /** When the next ones are due, in ms since 1970. */
  readonly due: readonly number[]
  /** Appraisals, as the policy of now decides. Unexaminable ones are asked once in each round. */
  readonly examined: Map<string, Examined>
}

/** What is left to do about the policy in force. */
export interface Sweep extends Rounds {
  /** Rises with each policy that decides differently. */
  readonly ordinal: number
  readonly policy: Policy
  /** Of its acceptance; undefined where the database has moved on. */
  readonly sequence: number | undefined
  /** Since when this process has seen every policy that came into force. */
  readonly knownSince: Date
  /** That decide differently from it or from one another. */
  readonly predecessors: readonly Predecessor[]
}

interface Predecessor {
  readonly policy: Policy
  readonly until: Date
}

/** What is left to do about the vendors' documents. */
export interface News extends Rounds {
  readonly renewals: number
  readonly policy: Policy
  /** Its ordinal. */
  readonly sweep: number
}

interface InForce {
  readonly policy: Policy
  /** Of its acceptance; undefined where the database has moved on. */
  readonly sequence: number | undefined
}

/** `last` undefined: this process has just begun, and what its predecessor left undone is not known. */
export function sweepAfter(
  last: Sweep | undefined,
  { policy, sequence }: InForce,
  now: Date,
): Sweep {
  // Otherwise other replicas may have had one in force that this one never saw.
  const isNext = last && sequence !== undefined && last.sequence === sequence - 1
  const ordinal = (last?.ordinal ?? 0) + 1
  const fresh = { ordinal, policy, sequence, began: now, due: roundsFrom(now) }
  const examined = last ? stillExamined(last, policy) : new Map()
  if (!isNext) return { ...fresh, examined, knownSince: now, predecessors: [] }
  if (decideAlike(last.policy, policy)) return { ...last, policy, sequence }
  const predecessors = [
    ...last.predecessors.filter(
      (each) => isLately(each.until, now) && !decideAlike(each.policy, last.policy),
    ),
    { policy: last.policy, until: now },
  ]
  return predecessors.length > MOST_PREDECESSORS
    ? { ...fresh, examined, knownSince: now, predecessors: [] }
    : { ...fresh, examined, knownSince: last.knownSince, predecessors }
}

export function newsAfter(
  last: News | undefined,
  { sweep, renewals }: { readonly sweep: Sweep; readonly renewals: number },
  now: Date,
): News {
  const { policy, ordinal } = sweep
  const fresh = { renewals, policy, sweep: ordinal, due: roundsFrom(now) }
  if (last?.renewals !== renewals) return { ...fresh, began: now, examined: new Map() }
  if (last.sweep === ordinal) return { ...last, policy }
  // What a policy forgave its successor may not.
  return { ...fresh, began: last.began, examined: stillExamined(last, policy) }
}

/** What the policy of now has judged already, or no predecessor judged differently. */
export function settledByPolicy(sweep: Sweep, now: Date): Settled {
  const isUnmoved = unmoved(sweep, now)
  const until = sweep.began.getTime() + STRAGGLERS_MS
  return {
    token: (token) => token.issuedAt.getTime() > until || isUnmoved(token),
    record: ({ policyDigest }: AppraisalRecord) => policyDigest === sweep.policy.digest,
  }
}

/** What was issued since by what the vendors say now; under another policy perhaps, where they decide alike about it. */
export function settledByVendors(news: News, sweep: Sweep, now: Date): Settled {
  const isUnmoved = unmoved(sweep, now)
  const newsUntil = news.began.getTime() + STRAGGLERS_MS
  const until = Math.max(newsUntil, sweep.began.getTime() + STRAGGLERS_MS)
  return {
    token: (token: TokenRecord) => {
      const issuedAt = token.issuedAt.getTime()
      return issuedAt > until || (issuedAt > newsUntil && isUnmoved(token))
    },
    record: () => false,
  }
}

/** One that is further away than any is made was made by a clock that has been set back since. */
export function isDue({ due: [first] }: Rounds, now: Date): boolean {
  if (first === undefined) return false
  const waitMs = first - now.getTime()
  return waitMs <= 0 || waitMs > LONGEST_WAIT_MS
}

/** After a round that came to its end. One that did not is still due. */
export function afterRound<R extends Rounds>(rounds: R, now: Date): R {
  const { began, examined } = rounds
  const [, ...later] = rounds.due
  let isWhole = true
  for (const [id, { standing }] of examined)
    if (standing === 'unexaminable') {
      examined.delete(id)
      isWhole = false
    }
  const isAskedAgain = !isWhole && later.length === 0 && isLately(began, now)
  return { ...rounds, due: isAskedAgain ? [now.getTime() + AGAIN_MS] : later }
}

function roundsFrom(now: Date): readonly number[] {
  return ROUNDS_MS.map((ms) => now.getTime() + ms)
}

/** Whether a token of then may live. */
function isLately(then: Date, now: Date): boolean {
  return now.getTime() - then.getTime() <= LONGEST_TOKEN_MS
}

/** Whether every policy under which a live token may have been issued decides about this agent as the one of now does. */
function unmoved(
  { policy, predecessors, knownSince }: Sweep,
  now: Date,
): (agent: Agent) => boolean {
  if (isLately(knownSince, now)) return () => false
  const all = predecessors.map((each) => alikeAbout(each.policy, policy))
  return (agent) => all.every((areAlike) => areAlike(agent))
}

/**
 * Otherwise whoever may change one agent's manifest could keep every look from its end, and with it the tokens of all the
 * others.
 */
function stillExamined(
  last: Rounds & { readonly policy: Policy },
  policy: Policy,
): Map<string, Examined> {
  const areAlike = alikeAbout(last.policy, policy)
  return new Map([...last.examined].filter(([, examined]) => areAlike(examined)))
}

function alikeAbout(from: Policy, to: Policy): (agent: Agent) => boolean {
  if (!rulesAndRevocationsAgree(from, to)) return () => false
  return ({ environment, agent }) =>
    sameRelease(from.releaseOf(environment, agent), to.releaseOf(environment, agent))
}
