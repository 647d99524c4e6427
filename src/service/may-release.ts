/**
 * May this agent have this resource now? A token says what was true when it was issued, and a secret that left cannot be called
 * back: so the policy, the rule, the evidence and what the vendors say are looked at again, as they are at this moment. Whoever
 * is refused hears that and no more; operators read why in the journal.
 */
import type { Policy } from '../policy/policy.ts'
import { Problem } from '../problems.ts'
import type { AgentRelease, ReleaseRule } from '../rats/release.ts'
import type { Assurance } from '../rats/trust-vector.ts'
import { policyInForce } from './policy-in-force.ts'
import type { AppraisalRecord } from './ports.ts'
import type { ReleaseRecord } from './release-ports.ts'
import { type PresentStanding, presentStandingOf } from './standing.ts'
import type { Tenant, Verifier } from './verifier.ts'

export interface ReleaseQuestion {
  readonly tenant: Tenant
  readonly environment: string
  readonly agent: string
  /** Of the token. Undefined where there is none: then any rule for tokens of possession that names the resource counts. */
  readonly audience?: string | undefined
  /** Of the token, as it was issued: what the policy added since, it was not given. Undefined where there is none. */
  readonly scopes?: readonly string[] | undefined
  /** Id of the appraisal that all of it rests on. */
  readonly appraisal: string
  /** To what its evidence must be bound. Undefined: to whatever it says. */
  readonly bound?: BoundKeys | BoundReportData | undefined
  readonly resource: string
  readonly face: ReleaseRecord['face']
  /** For the journal. */
  readonly requestId?: string | undefined
}

/** RFC 7638 thumbprints, by our own runtime claims. */
interface BoundKeys {
  readonly signing: string
  /** Empty: none. */
  readonly encryption: string
}

/** By the Key Broker protocol. */
interface BoundReportData {
  /** Hex; any of them. */
  readonly reportData: readonly string[]
}

export interface Allowed {
  readonly policy: Policy
  readonly release: AgentRelease
  readonly rule: ReleaseRule
  /** Of the evidence, as it was judged now. */
  readonly assurance: Assurance
}

type Judging = Pick<Verifier, 'store' | 'proofs' | 'journal' | 'standings'>

/**
 * Throws Problem: `policy-unavailable` and `policy-stale` (the heartbeat's grace included), `release-refused`,
 * `storage-unavailable`.
 */
export async function mayRelease(
  verifier: Judging,
  question: ReleaseQuestion,
  at: Date,
): Promise<Allowed> {
  const { tenant, environment, agent, audience, scopes, resource } = question
  const policy = policyInForce(tenant.policy, at)
  const refuse = refusing(verifier, question, at)
  const release = policy.releaseOf(environment, agent)
  if (!release) throw refuse(`policy ${policy.commit} approves no such agent`)
  if (scopes && !scopes.includes(resource)) throw refuse('the token was not issued for it')
  const rule = release.rules.find(
    (each) =>
      each.form === 'possession' &&
      (audience === undefined || each.audience === audience) &&
      each.scopes.includes(resource),
  )
  if (!rule)
    throw refuse(`no rule of policy ${policy.commit} has it as a scope${forWhom(audience)}`)
  const standing = await presentStanding(verifier, { ...question, policy, rule }, at)
  if (standing.standing === 'holds') return { policy, release, rule, assurance: standing.assurance }
  throw refuse(
    standing.standing === 'unexaminable'
      ? `the evidence cannot be judged: ${standing.why}`
      : `the evidence is refused by ${standing.failing.slice(0, MOST_CHECKS_TOLD).join(', ')}`,
  )
}

const MOST_CHECKS_TOLD = 5

interface JudgedQuestion extends ReleaseQuestion {
  readonly policy: Policy
  readonly rule: ReleaseRule
}

/** A policy that is replaced and a vendor's document that is renewed are judged by at once: both are in the key. */
async function presentStanding(
  verifier: Judging,
  question: JudgedQuestion,
  at: Date,
): Promise<PresentStanding> {
  const { tenant, environment, agent, appraisal, bound, policy, rule } = question
  const renewals = tenant.collect.renewals?.() ?? 0
  const key = [
    ...[tenant.name, environment, agent, appraisal, policy.commit, policy.digest],
    ...[rule.audience, renewals, JSON.stringify(bound)],
  ].join('\0')
  return await verifier.standings.of(key, at, async () => {
    const record = await verifier.store.findAppraisal(appraisal)
    if (!record || !isOf(record, question))
      return { standing: 'unexaminable', why: 'there is no record of it' }
    return await presentStandingOf(
      // By what this token was asked for: what else was asked for with it may be gone.
      { ...record, audiences: [rule.audience] },
      { verifier, signatures: verifier.standings.signatures, tenant, policy, at },
    )
  })
}

/**
 * An attestation of this agent that was granted, in this tenant, to this key. What the row says of itself anybody may have
 * written; its claims are what the evidence is bound to, which is judged anew.
 */
function isOf(
  record: AppraisalRecord,
  { tenant, environment, agent, bound }: ReleaseQuestion,
): boolean {
  const { runtimeClaims: claims } = record
  return (
    record.verdict === 'issued' &&
    [record, claims].every(
      (each) =>
        each.tenant === tenant.name && each.environment === environment && each.agent === agent,
    ) &&
    (bound === undefined || isBoundTo(record, bound))
  )
}

/** The Key Broker protocol binds evidence to a key alone, and to none of our claims. */
function isBoundTo(
  { binding, runtimeClaims: { sig_jkt, enc_jkt } }: AppraisalRecord,
  bound: BoundKeys | BoundReportData,
): boolean {
  return 'reportData' in bound
    ? binding !== undefined && bound.reportData.includes(binding.reportData)
    : binding === undefined && sig_jkt === bound.signing && enc_jkt === bound.encryption
}

function refusing(
  { journal }: Pick<Judging, 'journal'>,
  { tenant, environment, agent, resource, appraisal, face, requestId }: ReleaseQuestion,
  at: Date,
) {
  return (reason: string): Problem => {
    journal.record({
      event: 'release.refused',
      at,
      ...(requestId !== undefined && { requestId }),
      fields: { tenant: tenant.name, environment, agent, resource, appraisal, face, reason },
    })
    return new Problem('release-refused', `${environment}/${agent} may not have ${resource} now`)
  }
}

function forWhom(audience: string | undefined): string {
  return audience === undefined ? '' : ` for ${audience}`
}
