/** Does every rule answer its own cases as they say? Asked at every load: a rule that nobody has seen fail proves nothing. */
import type { PreparedRules, Rule, RuleAnswer, RuleCase, RuleMistake } from './rule.ts'

/** Never rejects. Empty means that all cases hold. */
export async function failingCases(prepared: PreparedRules): Promise<readonly RuleMistake[]> {
  const { rules } = prepared
  if (rules.length === 0) return []
  const answers = await prepared.askCases()
  return rules.flatMap((rule, index) =>
    rule.cases.flatMap((each, which) => {
      const message = mistakeOf(rule, each, answers[index]?.[which])
      return message === undefined ? [] : [{ file: rule.source.file, line: each.line, message }]
    }),
  )
}

function mistakeOf(
  { id }: Rule,
  { name, pass }: RuleCase,
  answer: RuleAnswer | undefined,
): string | undefined {
  const of = `rule ${id}, case ${name}`
  if (answer === undefined) return `${of}: was not asked`
  if ('fault' in answer)
    return `${of}: must ${pass ? 'pass' : 'fail'}, and could not be asked: ${answer.fault}`
  if (answer.answer === pass) return undefined
  return answer.answer
    ? `${of}: must fail, and passes: mend the rule or the case`
    : `${of}: must pass, and fails; it reads ${JSON.stringify(answer.observed)}: mend the rule or the case`
}
