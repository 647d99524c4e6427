/**
 * Whose verdict would change? Evidence that is stored is decided again under two policies, each piece at the time of its own
 * appraisal and with the endorsements that were at hand then, so that only the policies differ. A remote policy is not asked:
 * what it would have said then, nobody knows now.
 */
import type { Policy } from '../policy/policy.ts'
import type { Finding, Waivers } from '../rats/check.ts'
import { recordedTeeByName } from '../tee/registry.ts'
import {
  type AnyAuthentication,
  authenticated,
  type DecidingTenant,
  decide,
  type Matter,
} from './decision.ts'
import { keptEndorsements } from './kept-endorsements.ts'
import { rulesAndRevocationsAgree, sameRelease } from './policy-comparison.ts'
import type { DriftEntry, DriftReport } from './policy-ports.ts'
import type { AppraisalPlace, AppraisalRecord, Store, Verdict } from './ports.ts'
import { isForged } from './proven.ts'
import { recordedSession } from './session-findings.ts'
import type { Verifier } from './verifier.ts'

export interface Reappraisal {
  readonly verifier: Pick<Verifier, 'proofs' | 'pause'> & {
    readonly store: Pick<Store, 'appraisalsOf' | 'findEndorsements'>
  }
  readonly tenant: DecidingTenant
  readonly from: Policy
  readonly to: Policy
  /** Evidence that is older is not looked at. */
  readonly since: Date
  /** Now, for the report. */
  readonly at: Date
  /** The newest so many that a policy has a say in; default all. */
  readonly most?: number
  readonly progress?: (examined: number) => void
  /** Ends it early: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** What `vouchsafe policy diff` asks: the same with any two policies, and nothing is kept. */
export const diffPolicies = reappraise

const ROWS_PER_PAGE = 32
/** A piece of evidence takes about a millisecond: requests that came in meanwhile go first after so many. */
const ROWS_PER_TURN = 8
const MOST_ENTRIES = 1000
/** Forgeries cost their sender little, and must neither crowd out what counts nor be read through for ever. */
const MOST_FORGED_PER_ROW = 16

/** Throws Problem('storage-unavailable'). */
export async function reappraise(request: Reappraisal): Promise<DriftReport> {
  const { verifier, tenant, from, to, since, at, most = Number.POSITIVE_INFINITY } = request
  const { progress, signal } = request
  const areAlike = comparing(from, to)
  const entries: DriftEntry[] = []
  let [examined, unexaminable, changed, forged] = [0, 0, 0, 0]
  let last: AppraisalPlace | undefined
  while (examined + unexaminable < most && forged < most * MOST_FORGED_PER_ROW) {
    const limit = Math.min(ROWS_PER_PAGE, most - examined - unexaminable)
    const page = await verifier.store.appraisalsOf(tenant.name, { since, limit, before: last })
    unexaminable += page.unreadable.length
    for (const [place, record] of page.records.entries()) {
      if (place % ROWS_PER_TURN === 0) await verifier.pause()
      signal?.throwIfAborted()
      // Anybody may send such evidence, and of each a record is kept.
      if (!record.evidence || isForged(record)) {
        forged++
        continue
      }
      const outcome = areAlike(record) ? 'same' : await compare(record, request)
      if (outcome === 'unexaminable') unexaminable++
      else examined++
      if (typeof outcome === 'string') continue
      changed++
      if (entries.length < MOST_ENTRIES) entries.push(outcome)
    }
    progress?.(examined + unexaminable)
    last = page.next
    if (!last) break
  }
  const nameOf = ({ commit, digest }: Policy) => ({ commit, digest })
  return {
    tenant: tenant.name,
    from: nameOf(from),
    to: nameOf(to),
    at,
    examined,
    unexaminable,
    changed,
    entries,
  }
}

/** A heartbeat or another agent's manifest changes nothing here, and decides nothing anew. */
function comparing(from: Policy, to: Policy): (record: AppraisalRecord) => boolean {
  if (!rulesAndRevocationsAgree(from, to)) return () => false
  return ({ environment, agent }) =>
    sameRelease(from.releaseOf(environment, agent), to.releaseOf(environment, agent))
}

async function compare(
  record: AppraisalRecord,
  request: Reappraisal,
): Promise<DriftEntry | 'same' | 'unexaminable'> {
  const { from, to } = request
  const matterFor = await mattersOf(record, request)
  if (!matterFor) return 'unexaminable'
  const before = await verdictOf(matterFor(from))
  const after = await verdictOf(matterFor(to), before)
  if (before.verdict === after.verdict) return 'same'
  const missingFrom = (ids: readonly string[], others: readonly string[]) =>
    ids.filter((id) => !others.includes(id))
  return {
    appraisal: record.id,
    environment: record.environment,
    agent: record.agent,
    before: before.verdict,
    after: after.verdict,
    nowFailing: missingFrom(after.failing, before.failing),
    noLongerFailing: missingFrom(before.failing, after.failing),
  }
}

/** Undefined where it cannot be decided again: evidence or endorsements are not kept, or the TEE is known no more. */
async function mattersOf(
  record: AppraisalRecord,
  { tenant, verifier }: Reappraisal,
): Promise<((policy: Policy) => Matter | undefined) | undefined> {
  const { evidence, runtimeClaims: claims, binding, audiences, at } = record
  const tee = recordedTeeByName(record.tee)
  const kept = await keptEndorsements(record, verifier.store)
  if (!tee || !kept || !evidence) return undefined
  const { anchors } = tenant
  const conditions = { at, anchors, endorsements: kept, proofs: verifier.proofs }
  // What ran is judged where the session's deltas are.
  const session = recordedSession(record)
  const same = { tenant, tee, evidence, claims, binding, audiences, conditions, session }
  return (policy) => {
    const release = policy.releaseOf(claims.environment, claims.agent)
    return release && { ...same, policy, release }
  }
}

interface Decided {
  readonly verdict: Verdict
  readonly failing: readonly string[]
  readonly waivers?: Waivers
  readonly authentication?: AnyAuthentication
}

/** Signatures take most of the time, and depend on the policy only through the release's waivers. */
async function verdictOf(matter: Matter | undefined, before?: Decided): Promise<Decided> {
  if (!matter) return { verdict: 'refused', failing: ['release-unknown'] }
  const { waivers } = matter.release
  const isShared = before?.waivers && sameWaivers(before.waivers, waivers)
  const authentication = (isShared && before.authentication) || authenticated(matter)
  const decision = await decide(matter, authentication)
  return {
    verdict: decision.grant ? 'issued' : 'refused',
    failing: decision.findings.filter(hasFailed).map(({ id }) => id),
    waivers,
    authentication,
  }
}

function hasFailed({ outcome }: Finding): boolean {
  return outcome === 'fail'
}

function sameWaivers(a: Waivers, b: Waivers): boolean {
  return a.size === b.size && [...a].every(([name, reason]) => b.get(name) === reason)
}
