/**
 * When are live tokens looked at again? Within a second of a policy that came into force here, a little later for what other
 * replicas were still issuing under the one before, and whenever a vendor's document took the place of another. One chore
 * for each tenant, and every replica does all of it: a replica that ends in the middle leaves nothing undone.
 */

import {
  afterRound,
  isDue,
  type News,
  newsAfter,
  type Sweep,
  settledByPolicy,
  settledByVendors,
  sweepAfter,
} from './live-sweeps.ts'
import { decideAlike } from './policy-comparison.ts'
import { type LiveReappraisal, reappraiseLive } from './reappraise-live.ts'
import type { Chore, Tenant, Verifier } from './verifier.ts'

const EVERY_MS = 1_000

type Watched = Pick<
  Verifier,
  'store' | 'random' | 'journal' | 'events' | 'proofs' | 'pause' | 'clock'
>

type Look = Required<Pick<LiveReappraisal, 'policy' | 'aspects' | 'settled' | 'examined'>>

export function liveWatch(verifier: Watched, tenant: Tenant): Chore {
  const { clock } = verifier
  let sweep: Sweep | undefined
  let news: News | undefined

  async function lookAtPolicy(): Promise<void> {
    const policy = tenant.policy.accepted()
    if (!policy) return
    if (policy !== sweep?.policy) {
      const record = await verifier.store.policyOf(tenant.name)
      const sequence = record?.commit === policy.commit ? record.sequence : undefined
      sweep = sweepAfter(sweep, { policy, sequence }, clock.now())
    }
    if (!isDue(sweep, clock.now())) return
    const { examined } = sweep
    const settled = settledByPolicy(sweep, clock.now())
    const isWhole = await look({ policy, aspects: ['policy'], settled, examined })
    if (isWhole) sweep = afterRound(sweep, clock.now())
  }

  async function lookAtCollateral(): Promise<void> {
    const policy = tenant.policy.accepted()
    const renewals = tenant.collect.renewals?.()
    if (!sweep || policy !== sweep.policy || renewals === undefined) return
    news = newsAfter(news, { sweep, renewals }, clock.now())
    if (!isDue(news, clock.now())) return
    const { examined } = news
    const settled = settledByVendors(news, sweep, clock.now())
    const isWhole = await look({ policy, aspects: ['collateral'], settled, examined })
    if (isWhole) news = afterRound(news, clock.now())
  }

  /** Resolves to whether it came to its end. What fails, or comes to none, is tried again from where it was. */
  async function look(asked: Look): Promise<boolean> {
    let { policy } = asked
    let isCutOff = false
    // A policy that is in force no more decides nothing. A heartbeat is another policy, and decides the same.
    const isOver = () => {
      const current = tenant.policy.accepted()
      if (!current || (current !== policy && !decideAlike(asked.policy, current))) isCutOff = true
      else policy = current
      return isCutOff
    }
    const request = { ...asked, verifier, tenant, at: clock.now(), by: 'reappraisal', isOver }
    for await (const _ of reappraiseLive({ ...request, scope: 'live' })) if (isOver()) return false
    return true
  }

  return {
    name: `reappraisal ${tenant.name}`,
    everyMs: EVERY_MS,
    async run() {
      try {
        await lookAtPolicy()
      } finally {
        await lookAtCollateral()
      }
    },
  }
}
