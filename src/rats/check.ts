/**
 * A check is one question that the verifier asks of evidence, as data: a stable id, the claim it moves, where the rule is
 * written, and how to answer. Everything the service refuses is refused by exactly one of these.
 */
import type { Claim } from './claim.ts'

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
  /** The field of the reference value that this check compares, dotted where it nests: what to change if the change is meant. */
  readonly compares?: string
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

/** A list of checks made ready: findings that never vary are made once, so that a warm appraisal allocates none. */
export interface Checklist<in S> {
  readonly entries: readonly Entry<S>[]
}

interface Entry<in S> {
  readonly check: Check<S>
  readonly passed: Finding
  readonly notReached: Finding
  /** The last finding that the question does not arise, which is nearly always for the same reason. */
  inapplicable: Finding | undefined
}

const checklists = new WeakMap<readonly Check<never>[], Checklist<never>>()

export function checklist<S>(checks: readonly Check<S>[]): Checklist<S> {
  const known = checklists.get(checks)
  // Whatever stands under this very array was made from it just below.
  if (known) return known as unknown as Checklist<S>
  const made: Checklist<S> = {
    entries: checks.map((check) => ({
      check,
      passed: Object.freeze(finding(check, 'pass')),
      notReached: Object.freeze(notReached(check)),
      inapplicable: undefined,
    })),
  }
  checklists.set(checks, made as unknown as Checklist<never>)
  return made
}

/**
 * Judges in order and stops asking at the first failure; the rest are recorded as not reached, so the list is always
 * whole. For authentication, where a later question means nothing once an earlier one failed. Adds to `findings` and
 * returns whether nothing failed.
 */
export function judgeInSequence<S>(
  { entries }: Checklist<S>,
  subject: S,
  waivers: Waivers,
  findings: Finding[],
): boolean {
  let reached = true
  for (const entry of entries) {
    const finding = reached ? judge(entry, subject, waivers) : entry.notReached
    if (finding.outcome === 'fail') reached = false
    findings.push(finding)
  }
  return reached
}

/** Judges every check, so that a refusal names all that is wrong. For appraisal, where questions are independent. */
export function judgeAll<S>(
  { entries }: Checklist<S>,
  subject: S,
  waivers: Waivers,
  findings: Finding[],
): void {
  for (const entry of entries) findings.push(judge(entry, subject, waivers))
}

export function reachNone({ entries }: Checklist<never>, findings: Finding[]): void {
  for (const { notReached } of entries) findings.push(notReached)
}

function notReached(check: Check<never>): Finding {
  return finding(check, 'not-reached')
}

/** The first failing check: what a caller is told first. */
export function firstFailure(findings: readonly Finding[]): Finding | undefined {
  return findings.find(({ outcome }) => outcome === 'fail')
}

function finding({ id, cites, informs }: Check<never>, outcome: Outcome): Finding {
  return { id, outcome, cites, informs }
}

function judge<S>(entry: Entry<S>, subject: S, waivers: Waivers): Finding {
  const { check } = entry
  const answer = answerOf(check, subject)
  if (answer === true) return entry.passed
  if ('notApplicable' in answer) return inapplicable(entry, answer.notApplicable)
  const { sentence, observed, expected } = answer
  const reason = check.waivable && (waivers.get(check.id) ?? waivers.get(check.waivable))
  return !reason || 'unjudged' in answer
    ? { ...finding(check, 'fail'), detail: sentence, observed, expected }
    : {
        ...finding(check, 'waived'),
        detail: `waived (${reason}): ${sentence}`,
        observed,
        expected,
      }
}

function inapplicable<S>(entry: Entry<S>, detail: string): Finding {
  if (entry.inapplicable?.detail !== detail)
    entry.inapplicable = Object.freeze({ ...finding(entry.check, 'not-applicable'), detail })
  return entry.inapplicable
}

/** A question that could not be asked was not answered: no waiver covers that. */
interface Unjudged extends Refusal {
  readonly unjudged: true
}

function answerOf<S>(check: Check<S>, subject: S): Judgement | Unjudged {
  try {
    const answer: unknown = check.judge(subject)
    if (answer === true || isNotApplicable(answer) || isRefusal(answer)) return answer
    return {
      ...refuse('the check gave no usable answer, which is a refusal', typeof answer, 'true'),
      unjudged: true,
    }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    return { ...refuse(`the check could not be judged: ${message}`, null, null), unjudged: true }
  }
}

function isNotApplicable(answer: unknown): answer is NotApplicable {
  return typeof answer === 'object' && answer !== null && 'notApplicable' in answer
}

function isRefusal(answer: unknown): answer is Refusal {
  return typeof answer === 'object' && answer !== null && 'sentence' in answer
}
