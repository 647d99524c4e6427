/**
 * A check is one question that the verifier asks of evidence, as data: a stable id, the claim it moves, where the rule is
 * written, and how to answer. Everything the service refuses is refused by exactly one of these.
 */
import type { Claim } from './trust-vector.ts'

export type Datum = string | number | boolean | null | readonly Datum[]

/** Why a check failed: a sentence for people, and both sides as data for programs. */
export interface Refusal {
  readonly sentence: string
  readonly observed: Datum
  readonly expected: Datum
}

/** The question does not arise, and why (a VLEK has no chip id; this release sets no floor). */
export interface NotApplicable {
  readonly notApplicable: string
}

export type Judgement = true | Refusal | NotApplicable

/**
 * What an operator may waive by name. Signature, chain, binding, structure, revocation and debug have no group: they
 * can never be waived. `revocation` is the freshness of revocation lists, never a revocation.
 */
export type WaiverGroup = 'revocation' | 'tcb' | 'attributes'

export interface Check<in Subject> {
  /** `tee.subject.expectation`, stable for ever: policies, dashboards and auditors quote it. */
  readonly id: string
  readonly informs: Claim
  /** Document, revision and section that state the rule. */
  readonly cites: string
  readonly waivable?: WaiverGroup
  /** Anything but `true` or NotApplicable is a failure, a throw included. */
  readonly judge: (subject: Subject) => Judgement
}

export type Outcome = 'pass' | 'fail' | 'not-reached' | 'not-applicable' | 'waived'

export interface Finding {
  readonly id: string
  readonly outcome: Outcome
  /** The refusal's sentence, why it does not apply, or the waiver's reason with the sentence it covers. */
  readonly detail?: string
  readonly observed?: Datum
  readonly expected?: Datum
  readonly cites: string
  readonly informs: Claim
}

/** Check id or waiver group to the operator's reason. */
export type Waivers = ReadonlyMap<string, string>

export function refuse(sentence: string, observed: Datum, expected: Datum): Refusal {
  return { sentence, observed, expected }
}

export function notApplicable(reason: string): NotApplicable {
  return { notApplicable: reason }
}

/**
 * Judges in order and stops asking at the first failure; the rest are recorded as not reached, so the list is always
 * whole. For authentication, where a later question means nothing once an earlier one failed.
 */
export function judgeInSequence<S>(
  checks: readonly Check<S>[],
  subject: S,
  waivers: Waivers,
): readonly Finding[] {
  const findings: Finding[] = []
  let reached = true
  for (const check of checks) {
    const finding: Finding = reached ? judge(check, subject, waivers) : notReached(check)
    if (finding.outcome === 'fail') reached = false
    findings.push(finding)
  }
  return findings
}

/** Judges every check, so that a refusal names all that is wrong. For appraisal, where questions are independent. */
export function judgeAll<S>(
  checks: readonly Check<S>[],
  subject: S,
  waivers: Waivers,
): readonly Finding[] {
  const findings: Finding[] = []
  for (const check of checks) findings.push(judge(check, subject, waivers))
  return findings
}

export function notReached({ id, cites, informs }: Check<never>): Finding {
  return { id, outcome: 'not-reached', cites, informs }
}

/** The first failing check: what a caller is told first. */
export function firstFailure(findings: readonly Finding[]): Finding | undefined {
  return findings.find(({ outcome }) => outcome === 'fail')
}

/** A passing finding never varies, so each check has one; a warm appraisal allocates none. */
const passes = new WeakMap<Check<never>, Finding>()

function passed(check: Check<never>): Finding {
  let finding = passes.get(check)
  if (!finding) {
    finding = Object.freeze({
      id: check.id,
      outcome: 'pass' as const,
      cites: check.cites,
      informs: check.informs,
    })
    passes.set(check, finding)
  }
  return finding
}

/** Nearly always for the same reason as last time, so the last finding is kept. */
const inapplicables = new WeakMap<Check<never>, Finding>()

function inapplicable(check: Check<never>, detail: string): Finding {
  const last = inapplicables.get(check)
  if (last?.detail === detail) return last
  const { id, cites, informs } = check
  const finding = Object.freeze({ id, outcome: 'not-applicable' as const, detail, cites, informs })
  inapplicables.set(check, finding)
  return finding
}

function judge<S>(check: Check<S>, subject: S, waivers: Waivers): Finding {
  const answer = answerOf(check, subject)
  if (answer === true) return passed(check)
  const { id, cites, informs, waivable } = check
  if ('notApplicable' in answer) return inapplicable(check, answer.notApplicable)
  const { sentence, observed, expected } = answer
  const reason = waivable && (waivers.get(id) ?? waivers.get(waivable))
  if (reason !== undefined)
    return {
      id,
      outcome: 'waived',
      detail: `waived (${reason}): ${sentence}`,
      observed,
      expected,
      cites,
      informs,
    }
  return { id, outcome: 'fail', detail: sentence, observed, expected, cites, informs }
}

function answerOf<S>(check: Check<S>, subject: S): Judgement {
  try {
    const answer: unknown = check.judge(subject)
    if (answer === true || isNotApplicable(answer) || isRefusal(answer)) return answer
    return refuse(
      'the check gave no usable answer, which counts as a refusal',
      typeof answer,
      'true',
    )
  } catch (cause) {
    return refuse(
      `the check could not be judged: ${cause instanceof Error ? cause.message : String(cause)}`,
      null,
      null,
    )
  }
}

function isNotApplicable(answer: unknown): answer is NotApplicable {
  return typeof answer === 'object' && answer !== null && 'notApplicable' in answer
}

function isRefusal(answer: unknown): answer is Refusal {
  return typeof answer === 'object' && answer !== null && 'sentence' in answer
}
