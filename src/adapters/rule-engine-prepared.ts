/** The compiled rules of one policy, as the service asks them: from memory if it can, in a process if it must, never twice at once. */
import type { FieldPath } from '../policy/rules/cel-tree.ts'
import type { PreparedRules, Rule, RuleAnswer, RuleInput } from '../policy/rules/rule.ts'
import { ruleVariables, variableNames } from '../policy/rules/rule-variables.ts'
import type { Answered } from './rule-engine-host.ts'
import { keyOf, type Memory, memory } from './rule-engine-memory.ts'
import type { Question } from './rule-engine-messages.ts'

export interface Compiled {
  readonly rules: readonly Rule[]
  /** By rule; undefined: everything that it is shown. */
  readonly reads: readonly (readonly FieldPath[] | undefined)[]
  /** Inputs to remember, of each TEE. */
  readonly limit: number
  readonly ask: (questions: readonly Question[]) => Promise<Answered | 'busy'>
  readonly askCases: (questions: readonly Question[]) => Promise<Answered>
}

type Answers = readonly (RuleAnswer | undefined)[]

/** The rules that are asked about evidence of one TEE. */
interface Selection {
  /** Indexes into all rules. */
  readonly applying: readonly number[]
  readonly paths: readonly FieldPath[]
  readonly memory: Memory<Answers>
  readonly asked: Map<string, Promise<Answers>>
}

const busy: RuleAnswer = { fault: 'too many requests wait for an answer: try again' }

export function preparedRules({ rules, reads, limit, ask, askCases }: Compiled): PreparedRules {
  const byTee = new Map<string | undefined, Selection>()
  for (const tee of new Set([undefined, ...rules.map((rule) => rule.tee)])) {
    const applying = rules.flatMap((rule, index) =>
      rule.tee === undefined || rule.tee === tee ? [index] : [],
    )
    const paths = pathsOf(applying.map((index) => reads[index] ?? everything(rules[index])))
    byTee.set(tee, { applying, paths, memory: memory(limit), asked: new Map() })
  }
  const common = byTee.get(undefined)
  const none: Answers = rules.map(() => undefined)

  async function asked({ applying }: Selection, input: RuleInput) {
    const result = await ask(applying.map((rule) => ({ rule, input })))
    const answers: (RuleAnswer | undefined)[] = [...none]
    for (const [place, index] of applying.entries())
      answers[index] = result === 'busy' ? busy : result.answers[place]
    return { answers, lasting: result !== 'busy' && result.lasting }
  }

  return {
    rules,
    remembered(input) {
      const selection = byTee.get(input.tee) ?? common
      if (!selection || selection.applying.length === 0) return none
      return selection.memory.get(keyOf(input, selection.paths))
    },
    async ask(input) {
      const selection = byTee.get(input.tee) ?? common
      if (!selection || selection.applying.length === 0) return none
      const key = keyOf(input, selection.paths)
      const known = selection.memory.get(key) ?? selection.asked.get(key)
      if (known) return known
      const answers = asked(selection, input).then(({ answers, lasting }) => {
        selection.asked.delete(key)
        if (lasting) selection.memory.put(key, answers)
        return answers
      })
      selection.asked.set(key, answers)
      return answers
    },
    async askCases() {
      const questions = rules.flatMap(({ cases }, rule) =>
        cases.map(({ input }) => ({ rule, input })),
      )
      if (questions.length === 0) return rules.map(() => [])
      const { answers } = await askCases(questions)
      return rules.map((_, rule) =>
        answers.filter((_answer, question) => questions[question]?.rule === rule),
      )
    },
  }
}

/** What a rule is shown whose language does not say what it reads. */
function everything(rule: Rule | undefined): readonly FieldPath[] {
  const names = rule?.tee === undefined ? Object.keys(ruleVariables(undefined)) : variableNames
  return [...names].map((name) => [name])
}

/** Each once, and none within another: what holds a group of fields holds each of them. */
function pathsOf(reads: readonly (readonly FieldPath[])[]): readonly FieldPath[] {
  const all = new Map(reads.flat().map((path) => [path.join('.'), path]))
  return [...all.values()].filter((path) =>
    path.every((_, length) => length === 0 || !all.has(path.slice(0, length).join('.'))),
  )
}
