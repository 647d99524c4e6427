/**
 * Does what runs in open sessions still count, after a policy that decides differently about its agent, or news of a vendor? What a
 * session measured is judged again, and so is the evidence that it rests on. Without this, it would hold until its next quote.
 *
 * One chore for each tenant; every replica does all of it, a few sessions at a time, and to do it twice changes nothing.
 */

import type { Policy } from '../policy/policy.ts'
import { consequenceOf } from '../policy/runtime/consequence.ts'
import type { Finding } from '../rats/check.ts'
import { type ChangingSessions, changeStanding, type StandingChange } from './change-session.ts'
import { failingOfStored } from './judge-stored-session.ts'
import { decideAlike, rulesAndRevocationsAgree, sameRelease } from './policy-comparison.ts'
import { sessionPages } from './session-pages.ts'
import type { SessionRecord } from './session-ports.ts'
import { standingOf } from './standing.ts'
import type { Chore, Tenant, Verifier } from './verifier.ts'

type Watching = ChangingSessions & Pick<Verifier, 'proofs' | 'pause' | 'clock'>

const EVERY_MS = 1_000
/** A replica that has not heard of a policy yet goes on judging by the one before for two seconds or so, ten at the worst. */
const ROUNDS_MS = [0, 12_000, 60_000] as const
/** After a round that could not judge everything: a vendor was silent, or a rule could not be asked. */
const AGAIN_MS = 60_000
const LONGEST_WAIT_MS = AGAIN_MS + 1_000
/** Whole policies are kept. Who changes more often than that has everything looked at. */
const MOST_PREDECESSORS = 8
/** A session takes a millisecond or three: requests that came in meanwhile go first after so many. */
const SESSIONS_PER_TURN = 4
const MOST_REMEMBERED = 200_000
/** A suspended one goes on from where it was, once its quote is accepted. */
const watched = ['open', 'suspended'] as const
const BY = 'reappraisal'
const MOST_CHECKS_TOLD = 5

interface Look {
  readonly policy: Policy
  /** Of its acceptance; undefined where the database has moved on. */
  readonly sequence: number | undefined
  readonly renewals: number | undefined
  /** Under which the sessions of now may have been judged; `any`: nobody knows. */
  readonly predecessors: readonly Policy[] | 'any'
  /** In ms since 1970. */
  readonly due: readonly number[]
  /** By session: what of it was judged. */
  readonly examined: Map<string, Examined>
}

interface Examined {
  readonly environment: string
  readonly agent: string
  readonly what: string
}

export function sessionWatch(verifier: Watching, tenant: Tenant): Chore {
  let look: Look | undefined

  async function run(): Promise<void> {
    const policy = tenant.policy.accepted()
    if (!policy) return
    const now = verifier.clock.now().getTime()
    const renewals = tenant.collect.renewals?.()
    if (look?.policy !== policy || look.renewals !== renewals) {
      const record = await verifier.store.policyHeadOf(tenant.name)
      const sequence = record?.commit === policy.commit ? record.sequence : undefined
      look = lookAfter(look, { policy, sequence, renewals }, now)
    }
    const current = look
    const [next] = current.due
    if (next === undefined) return
    // One that is further away than any is made was made by a clock that has been set back since.
    if (next > now && next <= now + LONGEST_WAIT_MS) return
    const round = await goThrough(verifier, tenant, current)
    // Cut off by another policy: what is left is due at once, under that one.
    if (round === 'cut-off') return
    const later = current.due.slice(1)
    const isAgain = round === 'in-part' && later.length === 0
    look = { ...current, due: isAgain ? [verifier.clock.now().getTime() + AGAIN_MS] : later }
  }

  return { name: `sessions ${tenant.name}`, everyMs: EVERY_MS, run }
}

function lookAfter(
  last: Look | undefined,
  { policy, sequence, renewals }: Pick<Look, 'policy' | 'sequence' | 'renewals'>,
  now: number,
): Look {
  const due = ROUNDS_MS.map((ms) => now + ms)
  const fresh = { policy, sequence, renewals, due }
  if (!last || last.renewals !== renewals)
    return { ...fresh, predecessors: 'any', examined: new Map() }
  // Otherwise there was one in between, here or elsewhere, that may have approved what neither of the two does.
  const isNext = last.policy === policy || (sequence ?? 0) - 1 === last.sequence
  if (isNext && decideAlike(last.policy, policy)) return { ...last, policy, sequence }
  const isDone = last.due.length === 0
  const before = !isNext ? 'any' : isDone ? [] : last.predecessors
  const predecessors = before === 'any' ? before : [...before, last.policy]
  const areAlike = alikeAbout(last.policy, policy)
  return {
    ...fresh,
    predecessors:
      predecessors !== 'any' && predecessors.length > MOST_PREDECESSORS ? 'any' : predecessors,
    // Otherwise whoever may change one agent's manifest could keep every look from its end.
    examined: new Map([...last.examined].filter(([, each]) => areAlike(each))),
  }
}

type Agent = Pick<SessionRecord, 'environment' | 'agent'>

function alikeAbout(from: Policy, to: Policy): (agent: Agent) => boolean {
  if (!rulesAndRevocationsAgree(from, to)) return () => false
  return ({ environment, agent }) =>
    sameRelease(from.releaseOf(environment, agent), to.releaseOf(environment, agent))
}

/** Throws Problem('storage-unavailable'): what was judged until then is not judged again. */
async function goThrough(
  verifier: Watching,
  tenant: Tenant,
  { policy, predecessors, examined }: Look,
): Promise<'whole' | 'in-part' | 'cut-off'> {
  const alike = predecessors === 'any' ? [] : predecessors.map((each) => alikeAbout(each, policy))
  const isUnmoved = (agent: Agent) => alike.length > 0 && alike.every((areAlike) => areAlike(agent))
  let isWhole = true
  let seen = 0
  for (const standing of watched)
    for await (const page of sessionPages(verifier.store, tenant.name, { standing }))
      for (const session of page) {
        const what = `${session.appraisal} ${session.checkpoint.measurement.count}`
        if (isUnmoved(session) || examined.get(session.id)?.what === what) continue
        if (seen++ % SESSIONS_PER_TURN === 0) await verifier.pause()
        const current = tenant.policy.accepted()
        if (current !== policy && !(current && decideAlike(policy, current))) return 'cut-off'
        const isJudged = await judge(verifier, { tenant, policy }, session)
        if (!isJudged) isWhole = false
        if (examined.size > MOST_REMEMBERED) examined.clear()
        const { environment, agent } = session
        if (isJudged) examined.set(session.id, { environment, agent, what })
      }
  return isWhole ? 'whole' : 'in-part'
}

/** Changes it where it falls. False where nobody can tell now. */
async function judge(
  verifier: Watching,
  { tenant, policy }: { readonly tenant: Tenant; readonly policy: Policy },
  session: SessionRecord,
): Promise<boolean> {
  const at = verifier.clock.now()
  const [deltas, record] = await Promise.all([
    verifier.store.deltasOf(session.id),
    verifier.store.findAppraisal(session.appraisal),
  ])
  const measured = costOf(failingOfStored(session, deltas, policy), policy)
  if (measured) {
    const decide = (now: SessionRecord) => unlessWorse(now, measured)
    await changeStanding(verifier, session.id, { at, decide })
    return true
  }
  const request = { verifier, tenant, policy, at, aspects: ['policy', 'collateral'] } as const
  const standing = record && (await standingOf(record, request))
  if (standing?.standing !== 'fallen') return standing?.standing === 'holds'
  const { reason, failing } = standing
  const told = failing.slice(0, MOST_CHECKS_TOLD).join(', ')
  const change = quarantined(
    reason === 'policy'
      ? `policy ${policy.commit.slice(0, 12)} refuses the evidence: ${told}`
      : `by what the vendor says now the evidence is refused: ${told}`,
    reason,
  )
  // A quote that was accepted meanwhile is judged by itself.
  const decide = (now: SessionRecord) =>
    now.appraisal === session.appraisal ? unlessWorse(now, change) : undefined
  await changeStanding(verifier, session.id, { at, decide })
  return true
}

/** Undefined: nothing. */
function costOf(
  failing: readonly Finding[] | string,
  { commit }: Policy,
): StandingChange | undefined {
  if (typeof failing === 'string') return quarantined(failing, 'policy')
  const consequence = consequenceOf(failing)
  if (consequence === 'none' || consequence === 'step-up') return undefined
  const told = failing.slice(0, MOST_CHECKS_TOLD).map(({ id, detail }) => `${id}: ${detail ?? ''}`)
  const reason = `policy ${commit.slice(0, 12)} does not approve what was measured: ${told.join('; ')}`
  if (consequence === 'quarantine') return quarantined(reason, 'policy')
  return {
    ...{ standing: 'suspended', demanded: 'policy', change: 'suspended' },
    ...{ reason, by: BY, revocation: undefined },
  }
}

function quarantined(reason: string, revocation: 'policy' | 'collateral'): StandingChange {
  return {
    ...{ standing: 'quarantined', demanded: undefined, change: 'quarantined' },
    ...{ reason, by: BY, revocation },
  }
}

/** Whoever was told worse meanwhile, or is over, stays so. */
function unlessWorse(now: SessionRecord, change: StandingChange): StandingChange | undefined {
  if (now.standing === 'open') return change
  return now.standing === 'suspended' && change.standing === 'quarantined' ? change : undefined
}
