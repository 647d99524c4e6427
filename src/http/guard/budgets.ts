/**
 * Which requests are counted against what, and how is it said? `RateLimit-Policy` and `RateLimit` as
 * draft-ietf-httpapi-ratelimit-headers-10 has them: quotas by name, what is left of each, and when it begins anew.
 */
import type { RateLimits } from '../../config/guard-settings.ts'
import { Problem } from '../../problems.ts'
import { type Draw, type RateLimit, rateLimitOfKnown, rateLimitOfStrangers } from './rate-limits.ts'

/** What one caller may ask for, each counted apart; operators are counted by name, wherever they ask from. */
export type Budget =
  | 'challenges'
  | 'handshakes'
  | 'attestations'
  | 'releases'
  | 'public'
  | 'operators'

export interface Budgets {
  /** What one request draws on, to begin with nothing. */
  readonly drawn: (caller: string) => Drawing
}

export interface Drawing {
  /** Whose request it is. */
  readonly caller: string
  /** Each throws Problem('too-many-requests') where nothing is left. */
  readonly asCaller: (budget: Exclude<Budget, 'operators'>) => Promise<void>
  readonly asOperator: (name: string) => Promise<void>
  /** `name` must be one of the configuration: strangers may not make up tenants here. */
  readonly forTenant: (name: string) => Promise<void>
  /** Before a token is looked at: whoever guessed too often is told nothing about the next guess. */
  readonly beforeSignIn: () => Promise<void>
  readonly failedSignIn: () => Promise<void>
  /** Evidence that proved nothing about its sender: the record of it stays for a month. */
  readonly unprovenEvidence: () => Promise<void>
  /**
   * Messages of sessions are counted by session and by tenant, once their signature says whose they are: any number of agents may
   * have one address. What is of no session is counted by the caller: whoever sends too much of that is heard no more, but for
   * sessions that are known.
   */
  readonly beforeMessage: () => Promise<void>
  readonly refusedMessage: () => Promise<void>
  readonly forSession: (session: { readonly id: string; readonly tenant: string }) => Promise<void>
  /** For the answer, whichever it is. */
  readonly headers: () => readonly (readonly [string, string])[]
}

/** What was used up, for the metrics. */
export type Exhausted = 'caller-rate' | 'tenant-rate'

const WINDOW_SECONDS = 10
/** Attestations more: of a quota of 1,000, 48 such in a window, and some 4 GB in a day (docs/threat-model.md). */
const UNPROVEN_COSTS = 20
const SIGN_IN_WINDOW_SECONDS = 60
/** As long as a handshake of the Key Broker protocol lasts: so many rows of one caller stay, and twice as many at most. */
const HANDSHAKE_WINDOW_SECONDS = 300

export function budgets(limits: RateLimits, exhausted: (what: Exhausted) => void): Budgets {
  const caller = {
    challenges: ofStrangers('challenges', limits.challenges, WINDOW_SECONDS),
    handshakes: ofStrangers('handshakes', limits.handshakes, HANDSHAKE_WINDOW_SECONDS),
    attestations: ofStrangers('attestations', limits.attestations, WINDOW_SECONDS),
    releases: ofStrangers('releases', limits.releases, WINDOW_SECONDS),
    public: ofStrangers('public', limits.public, WINDOW_SECONDS),
  }
  const failed = ofStrangers('failed-operators', limits.failedOperators, SIGN_IN_WINDOW_SECONDS)
  const operators = ofKnown('operators', limits.operators)
  const tenants = ofKnown('tenant', limits.tenant)
  const sessions = ofKnown('session', limits.session)
  const tenantSessions = ofKnown('tenant-sessions', limits.tenantSessions)
  const refused = ofStrangers('refused-messages', limits.refusedMessages, WINDOW_SECONDS)

  return {
    drawn(callerName) {
      const draws: Draw[] = []
      const note = (draw: Draw | undefined, what: Exhausted) => {
        if (!draw) return
        const { quota, isWithin, resetSeconds: retryAfterSeconds } = draw
        draws.push(draw)
        if (isWithin) return
        exhausted(what)
        throw new Problem(
          'too-many-requests',
          `${quota.name}: more than ${quota.most} in ${quota.windowSeconds} s`,
          { retryAfterSeconds },
        )
      }
      return {
        caller: callerName,
        async asCaller(budget) {
          note(await caller[budget]?.draw(callerName), 'caller-rate')
        },
        async asOperator(name) {
          note(await operators?.draw(name), 'caller-rate')
        },
        async forTenant(name) {
          note(await tenants?.draw(name), 'tenant-rate')
        },
        async beforeSignIn() {
          const standing = await failed?.standing(callerName)
          if (standing && !standing.isWithin) note(standing, 'caller-rate')
        },
        async failedSignIn() {
          const draw = await failed?.draw(callerName)
          if (draw) draws.push(draw)
        },
        async beforeMessage() {
          const standing = await refused?.standing(callerName)
          if (standing && !standing.isWithin) note(standing, 'caller-rate')
        },
        async refusedMessage() {
          const draw = await refused?.draw(callerName)
          if (draw) draws.push(draw)
        },
        async forSession({ id, tenant }) {
          note(await sessions?.draw(id), 'caller-rate')
          note(await tenantSessions?.draw(tenant), 'tenant-rate')
        },
        async unprovenEvidence() {
          await caller.attestations?.charge(callerName, UNPROVEN_COSTS)
        },
        headers: () => headersOf(draws),
      }
    },
  }
}

function ofStrangers(
  name: string,
  most: number | undefined,
  windowSeconds: number,
): RateLimit | undefined {
  return most === undefined ? undefined : rateLimitOfStrangers({ name, most, windowSeconds })
}

function ofKnown(name: string, most: number | undefined): RateLimit | undefined {
  return most === undefined
    ? undefined
    : rateLimitOfKnown({ name, most, windowSeconds: WINDOW_SECONDS })
}

function headersOf(draws: readonly Draw[]): readonly (readonly [string, string])[] {
  if (draws.length === 0) return []
  const policies = draws.map(
    ({ quota: { name, most, windowSeconds } }) => `"${name}";q=${most};w=${windowSeconds}`,
  )
  const standings = draws.map(
    ({ quota: { name }, remaining, resetSeconds }) => `"${name}";r=${remaining};t=${resetSeconds}`,
  )
  return [
    ['ratelimit-policy', policies.join(', ')],
    ['ratelimit', standings.join(', ')],
  ]
}
