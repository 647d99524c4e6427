/** What did the operator's rules say? One finding per rule, in the policy's order, always all of them. */
import type {
  PreparedRules,
  RemoteInput,
  RemotePolicy,
  Rule,
  RuleAnswer,
  RuleInput,
} from '../policy/rules/rule.ts'
import type { Datum, Finding } from '../rats/check.ts'

/**
 * One input for each audience; of what a rule says about them, the gravest counts. `inputs` undefined: the evidence is not
 * authentic, and nobody asks a rule about what anyone may have written.
 */
export async function ruleFindings(
  prepared: PreparedRules,
  inputs: readonly RuleInput[] | undefined,
): Promise<readonly Finding[]> {
  const { rules } = prepared
  if (!inputs) return rules.map((rule) => ({ ...named(rule), outcome: 'not-reached' }))
  const all = await Promise.all(
    inputs.map(async (input) => {
      const answers = prepared.remembered(input) ?? (await prepared.ask(input))
      return rules.map((rule, place) => findingOf(rule, answers[place], input))
    }),
  )
  const [only] = all
  if (only && all.length === 1) return only
  return rules.map(
    (rule, place) =>
      gravest(
        all.flatMap((findings) => findings[place] ?? []),
        inputs.map(({ request }) => request.audience),
      ) ?? { ...named(rule), outcome: 'not-reached' },
  )
}

const fromGravest: readonly Finding['outcome'][] = [
  'fail',
  'not-reached',
  'waived',
  'not-applicable',
  'pass',
]

/** Says for which audience, where the answers differ by it. Undefined for no finding at all. */
function gravest(findings: readonly Finding[], audiences: readonly string[]): Finding | undefined {
  for (const outcome of fromGravest) {
    const place = findings.findIndex((finding) => finding.outcome === outcome)
    const finding = findings[place]
    if (!finding) continue
    return findings.every((other) => other.outcome === outcome)
      ? finding
      : { ...finding, detail: `for ${audiences[place]}: ${finding.detail ?? outcome}` }
  }
  return undefined
}

function findingOf(rule: Rule, answer: RuleAnswer | undefined, input: RuleInput): Finding {
  if (answer && 'answer' in answer && answer.answer) return passed(rule)
  return { ...named(rule), ...outcomeOf(rule, answer, input) }
}

function named(rule: Rule) {
  return { id: `rule.${rule.id}`, cites: placeOf(rule), informs: 'configuration' } as const
}

const passes = new WeakMap<Rule, Finding>()

/** Nearly all of them, nearly always: made once for each rule. */
function passed(rule: Rule): Finding {
  const known = passes.get(rule)
  if (known) return known
  const finding = Object.freeze<Finding>({ ...named(rule), outcome: 'pass' })
  passes.set(rule, finding)
  return finding
}

type Outcome = Pick<Finding, 'outcome' | 'detail' | 'observed' | 'expected'>

function outcomeOf(rule: Rule, answer: RuleAnswer | undefined, { tee }: RuleInput): Outcome {
  // An engine that forgets to answer must not let anything pass.
  if (!answer)
    return rule.tee !== undefined && rule.tee !== tee
      ? { outcome: 'not-applicable', detail: `only ${rule.tee} evidence is asked` }
      : failed(rule, 'the rule was not answered, which is a denial', null)
  if ('fault' in answer)
    return failed(rule, `the rule could not be asked, which is a denial: ${answer.fault}`, null)
  if (answer.answer) return { outcome: 'pass' }
  const { observed } = answer
  switch (rule.severity) {
    case 'warning':
      return { outcome: 'waived', detail: sentence(rule, rule.message), observed, expected: true }
    case 'deny':
      return failed(rule, rule.message, observed)
  }
}

function failed(rule: Rule, reason: string, observed: Datum): Outcome {
  return { outcome: 'fail', detail: sentence(rule, reason), observed, expected: true }
}

function sentence(rule: Rule, reason: string): string {
  return `${reason} (${placeOf(rule)})`
}

function placeOf({ source: { file, line } }: Rule): string {
  return `${file}:${line}`
}

const remote = {
  id: 'policy.remote.allows',
  cites: 'docs/policy.md, remote policy',
  informs: 'configuration',
} as const

/** One question for each audience. `questions` undefined: something was refused before, and nobody is asked. */
export async function remoteFinding(
  { policy }: { readonly policy: RemotePolicy },
  questions: readonly RemoteInput[] | undefined,
): Promise<Finding> {
  const findings = await Promise.all(
    (questions ?? []).map(async (question) => remoteAnswer(await policy.ask(question))),
  )
  const audiences = (questions ?? []).map(({ resource }) => resource.audience)
  return gravest(findings, audiences) ?? { ...remote, outcome: 'not-reached' }
}

function remoteAnswer(answer: RuleAnswer): Finding {
  const expected = true
  if ('fault' in answer) {
    const detail = `the remote policy could not be asked, which is a denial: ${answer.fault}`
    return { ...remote, outcome: 'fail', detail, observed: null, expected }
  }
  if (answer.answer) return { ...remote, outcome: 'pass' }
  const detail = 'the remote policy does not allow it'
  return { ...remote, outcome: 'fail', detail, observed: answer.observed, expected }
}
