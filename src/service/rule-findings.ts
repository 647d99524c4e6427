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

/** `input` undefined: the evidence is not authentic, and nobody asks a rule about what anyone may have written. */
export async function ruleFindings(
  prepared: PreparedRules,
  input: RuleInput | undefined,
): Promise<readonly Finding[]> {
  const { rules } = prepared
  if (!input) return rules.map((rule) => ({ ...named(rule), outcome: 'not-reached' }))
  const answers = prepared.remembered(input) ?? (await prepared.ask(input))
  return rules.map((rule, place) => findingOf(rule, answers[place], input))
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

/** `question` undefined: something was refused before, and nobody is asked. */
export async function remoteFinding(
  { policy }: { readonly policy: RemotePolicy },
  question: RemoteInput | undefined,
): Promise<Finding> {
  if (!question) return { ...remote, outcome: 'not-reached' }
  const answer = await policy.ask(question)
  const expected = true
  if ('fault' in answer) {
    const detail = `the remote policy could not be asked, which is a denial: ${answer.fault}`
    return { ...remote, outcome: 'fail', detail, observed: null, expected }
  }
  if (answer.answer) return { ...remote, outcome: 'pass' }
  const detail = 'the remote policy does not allow it'
  return { ...remote, outcome: 'fail', detail, observed: answer.observed, expected }
}
