/**
 * Would the evidence of an earlier attestation pass again? Under the policy of now, at the time of its own appraisal; and
 * by what its vendor says now, now. Only what says no counts: what cannot be had, is out of date or could not be asked
 * takes nothing from anybody.
 */

import { holdsAt } from '../pki/interval.ts'
import type { Policy } from '../policy/policy.ts'
import type { PreparedRules } from '../policy/rules/rule.ts'
import type { Finding } from '../rats/check.ts'
import type { EndorsementParts, Endorsements } from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AgentRelease } from '../rats/release.ts'
import type { VerifySignature } from '../rats/signature-answers.ts'
import type { AnyTee } from '../rats/tee.ts'
import type { Assurance } from '../rats/trust-vector.ts'
import { recordedTeeByName } from '../tee/registry.ts'
import { isWaived } from './collect-endorsements.ts'
import { type DecidingTenant, type Decision, decide, type Matter } from './decision.ts'
import { keptEndorsements } from './kept-endorsements.ts'
import type { AppraisalRecord, Store } from './ports.ts'
import { recordedSession } from './session-findings.ts'
import type { Tenant, Verifier } from './verifier.ts'

export type Standing =
  | { readonly standing: 'holds' }
  /** One sentence, for operators. */
  | { readonly standing: 'unexaminable'; readonly why: string }
  | {
      readonly standing: 'fallen'
      readonly reason: 'policy' | 'collateral'
      /** Ids of the checks that it fails now and did not. */
      readonly failing: readonly string[]
    }

/** At this moment: by whose word it holds is known too. */
export type PresentStanding =
  | Exclude<Standing, { readonly standing: 'holds' }>
  | { readonly standing: 'holds'; readonly assurance: Assurance }

/** What may have changed since. */
export type Aspect = Extract<Standing, { readonly standing: 'fallen' }>['reason']

export interface Judging {
  readonly verifier: Pick<Verifier, 'proofs'> & { readonly store: Pick<Store, 'findEndorsements'> }
  /** As for authenticate. */
  readonly signatures?: VerifySignature | undefined
  readonly tenant: DecidingTenant & Pick<Tenant, 'collect'>
  readonly policy: Policy
  /** Now. */
  readonly at: Date
  readonly aspects: readonly Aspect[]
}

const holds: Standing = { standing: 'holds' }

/** `record` is of an attestation that was granted. Throws Problem('storage-unavailable'). */
export async function standingOf(record: AppraisalRecord, judging: Judging): Promise<Standing> {
  const question = await questionOf(record, judging)
  if ('standing' in question) return question
  for (const aspect of judging.aspects) {
    const standing = await aspectsOf[aspect](question)
    if (standing.standing !== 'holds') return standing
  }
  return holds
}

/**
 * Would it pass at this moment? For what cannot be taken back: under the policy of now, by what the vendors say now, and all of
 * it in date now. What cannot be had, or is out of date, counts here, unless the release waives it. Throws
 * Problem('storage-unavailable').
 */
export async function presentStandingOf(
  record: AppraisalRecord,
  judging: Omit<Judging, 'aspects'>,
): Promise<PresentStanding> {
  const question = await questionOf(record, { ...judging, aspects: [] })
  if ('standing' in question) return question
  const current = await currentEndorsements(question)
  if ('standing' in current) return current
  const now = await failures(question, { at: judging.at, endorsements: current.endorsements })
  if ('fault' in now) return { standing: 'unexaminable', why: now.fault }
  const failing = now.failing.map(({ id }) => id)
  if (now.assurance) return { standing: 'holds', assurance: now.assurance }
  const ofHardware = [...question.tee.authenticate, ...question.tee.appraise]
  const isHardware = ofHardware.some(({ id }) => failing.includes(id))
  return { standing: 'fallen', reason: isHardware ? 'collateral' : 'policy', failing }
}

/**
 * The whole decision about it at this moment, for whoever issues anew on evidence that is kept. `audiences`: that are asked for
 * now. Throws Problem('storage-unavailable').
 */
export async function presentDecisionOf(
  record: AppraisalRecord,
  {
    audiences,
    remote,
    session,
    ...judging
  }: Omit<Judging, 'aspects'> & Pick<Matter, 'audiences' | 'remote' | 'session'>,
): Promise<
  | { readonly matter: Matter; readonly decision: Decision }
  | Exclude<Standing, { readonly standing: 'holds' }>
> {
  const question = await questionOf(record, { ...judging, aspects: [] })
  if ('standing' in question) return question
  const current = await currentEndorsements(question)
  if ('standing' in current) return current
  const { policy, at } = judging
  const kept = matterOf(question, { at, policy, endorsements: current.endorsements })
  const matter = { ...kept, audiences, remote, session }
  return { matter, decision: await decide(matter) }
}

/** As they were kept where no vendor is asked. */
async function currentEndorsements({
  evidence,
  judging,
  tee,
  release,
  kept,
}: Question): Promise<{ readonly endorsements: Endorsements } | Unexaminable> {
  const { collect } = judging.tenant
  if (!collect.renewals) return { endorsements: kept }
  const { endorsements: current, missing } = await collect(evidence, tee, certificatesOf(kept))
  return missing.some((each) => !isWaived(each, release.waivers))
    ? { standing: 'unexaminable', why: 'its vendor could not be asked' }
    : { endorsements: current }
}

type Unexaminable = Extract<Standing, { readonly standing: 'unexaminable' }>

async function questionOf(
  record: AppraisalRecord,
  judging: Judging,
): Promise<Question | Exclude<Standing, { readonly standing: 'holds' }>> {
  const { verifier, policy } = judging
  const tee = recordedTeeByName(record.tee)
  if (!tee) return { standing: 'unexaminable', why: `${record.tee} is known no more` }
  const { environment, agent } = record.runtimeClaims
  const release = policy.releaseOf(environment, agent)
  if (!release) return { standing: 'fallen', reason: 'policy', failing: ['release-unknown'] }
  const kept = await keptEndorsements(record, verifier.store)
  if (!kept) return { standing: 'unexaminable', why: 'what its vendor said is kept no more' }
  const { evidence } = record
  if (!evidence) return { standing: 'unexaminable', why: 'its evidence is kept no more' }
  return { record, evidence, judging, tee, release, kept }
}

interface Question {
  readonly record: AppraisalRecord
  readonly evidence: Evidence
  readonly judging: Judging
  readonly tee: AnyTee
  readonly release: AgentRelease
  readonly kept: Endorsements
}

const aspectsOf: Readonly<Record<Aspect, (question: Question) => Promise<Standing>>> = {
  policy: underPolicy,
  collateral: byCollateral,
}

/**
 * At the time of its appraisal, so that nothing but the policy is another. A release that came into force only since is
 * judged by its validity now.
 */
async function underPolicy(question: Question): Promise<Standing> {
  const { record, judging, release, kept } = question
  const judged = await failures(question, { at: record.at, endorsements: kept })
  if ('fault' in judged) return { standing: 'unexaminable', why: judged.fault }
  const failing = judged.failing
    .map(({ id }) => id)
    .filter((id) => id !== 'release.validity' || !holdsAt(release, judging.at))
  return failing.length === 0 ? holds : { standing: 'fallen', reason: 'policy', failing }
}

/** Whether a document is out of date, and never what it says. The checks of a group that may be waived say so themselves. */
const outOfDate: ReadonlySet<string> = new Set([
  'dcap.tcb-info.current',
  'dcap.qe-identity.current',
])

/** Now, by what the vendor says now. What fails under the same policy without that is for the other aspect. */
async function byCollateral(question: Question): Promise<Standing> {
  const { record, evidence, judging, tee, kept } = question
  const { collect } = judging.tenant
  if (!collect.renewals) return holds
  const { endorsements: current, missing } = await collect(evidence, tee, certificatesOf(kept))
  if (missing.length > 0) return { standing: 'unexaminable', why: 'its vendor could not be asked' }
  if (!saysMore(current, kept)) return holds
  const now = await failures(question, { at: judging.at, endorsements: current })
  if ('fault' in now) return { standing: 'unexaminable', why: now.fault }
  const hardware = hardwareChecks(tee)
  const grave = now.failing.map(({ id }) => id).filter((id) => hardware.has(id))
  if (grave.length === 0) return holds
  const then = await failures(question, { at: record.at, endorsements: kept })
  if ('fault' in then) return { standing: 'unexaminable', why: then.fault }
  const failing = grave.filter((id) => !then.failing.some((other) => other.id === id))
  return failing.length === 0 ? holds : { standing: 'fallen', reason: 'collateral', failing }
}

/** Certificates belong to the machine. Lists and levels that came with the request may be old, on purpose. */
function certificatesOf({ certificates }: EndorsementParts): EndorsementParts {
  return { certificates, crls: [], tcbInfos: [], qeIdentities: [] }
}

/** The TEE's own, but for those about age: a vendor that is silent must not end what runs. */
function hardwareChecks(tee: AnyTee): ReadonlySet<string> {
  return new Set(
    [...tee.authenticate, ...tee.appraise]
      .filter(({ id, waivable }) => waivable !== 'revocation' && !outOfDate.has(id))
      .map(({ id }) => id),
  )
}

/** Whether there is a list or a document that was not at hand when the evidence was appraised. */
function saysMore(current: EndorsementParts, kept: EndorsementParts): boolean {
  const known = new Set(statements(kept))
  return statements(current).some((statement) => !known.has(statement))
}

function statements({ crls, tcbInfos, qeIdentities }: EndorsementParts): readonly string[] {
  const bodies = [...tcbInfos, ...qeIdentities].map(({ body }) => body)
  return [...crls, ...bodies].map((bytes) => Buffer.from(bytes).toString('latin1'))
}

interface Held {
  readonly at: Date
  readonly endorsements: Endorsements
}

function matterOf(
  { record, evidence, judging, tee, release }: Question,
  { at, endorsements: held, policy }: Held & { readonly policy: Policy },
): Matter {
  const { tenant, verifier, signatures } = judging
  return {
    tenant,
    tee,
    evidence,
    claims: record.runtimeClaims,
    binding: record.binding,
    policy,
    release,
    audiences: record.audiences,
    conditions: {
      ...{ at, anchors: tenant.anchors, endorsements: held },
      ...{ proofs: verifier.proofs, signatures },
    },
    session: recordedSession(record),
  }
}

type Failures =
  | {
      readonly failing: readonly Finding[]
      /** Present if and only if nothing failed. */
      readonly assurance: Assurance | undefined
    }
  | { readonly fault: string }

async function failures(question: Question, held: Held): Promise<Failures> {
  const { policy } = question.judging
  const rules = watched(policy.rules)
  const matter = matterOf(question, { ...held, policy: { ...policy, rules: rules.prepared } })
  const { findings, grant } = await decide(matter)
  const fault = rules.fault()
  return fault === undefined
    ? {
        failing: findings.filter(({ outcome }) => outcome === 'fail'),
        assurance: grant?.assurance,
      }
    : { fault }
}

/** A rule that could not be asked denies whoever comes now, and says nothing about who came before. */
function watched(rules: PreparedRules): {
  readonly prepared: PreparedRules
  readonly fault: () => string | undefined
} {
  let fault: string | undefined
  return {
    fault: () => fault,
    prepared: {
      ...rules,
      async ask(input) {
        const answers = await rules.ask(input)
        const faulty = answers.find((answer) => answer && 'fault' in answer)
        if (faulty && 'fault' in faulty) fault = `a rule could not be asked: ${faulty.fault}`
        return answers
      },
    },
  }
}
