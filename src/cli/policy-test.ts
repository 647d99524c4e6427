/** `vouchsafe policy test`: every rule asked its own cases, one line each. */
import { mistakeText } from '../policy/policy.ts'
import { readRules } from '../policy/rules/read-rules.ts'
import type { PreparedRules, Rule, RuleAnswer, RuleCase } from '../policy/rules/rule.ts'
import type { Datum } from '../rats/check.ts'
import { REFUSED, YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import type { PolicyDeps } from './policy-deps.ts'
import { folderOf } from './policy-lint.ts'
import { claimSchemas, whileReading } from './policy-reading.ts'
import { coloured, counted, plain, printable } from './text.ts'

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe policy test [PATH]: ask every rule its own cases

  PATH                   the repository's folder (default: this one)
  --json                 print {holds, cases: [{rule, case, file, line, expected, answer, detail}]}

A service asks them at every load, and refuses a commit with a case that does not hold.
Exits 0 (all hold), 2 (some do not) or 1 (could not tell: a rule cannot be read).
`

interface Outcome {
  readonly rule: string
  readonly case: string
  readonly file: string
  readonly line: number
  readonly expected: 'pass' | 'fail'
  readonly answer: 'pass' | 'fail' | 'fault'
  readonly detail: string | null
}

export async function testPolicy(args: readonly string[], deps: PolicyDeps): Promise<number> {
  const { values, positionals } = parseArguments('policy test', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const folder = await deps.openWorkingFolder(folderOf('policy test', positionals))
  const files = (await folder.files()).filter(({ path }) => path.startsWith('rules/'))
  const cases = await whileReading(deps, async ({ engine }) => {
    const reading = readRules(files, claimSchemas())
    if ('mistakes' in reading) throw unreadable(reading.mistakes)
    const preparation = await engine.prepare(reading.rules)
    if ('mistakes' in preparation) throw unreadable(preparation.mistakes)
    return await outcomesOf(preparation.prepared)
  })
  const holds = cases.every(isHeld)
  deps.out(values.json ? `${JSON.stringify({ holds, cases })}\n` : outcomesText(cases, deps.colour))
  return holds ? YES : REFUSED
}

function unreadable(
  mistakes: readonly { readonly file: string; readonly line: number; readonly message: string }[],
): Mistake {
  const told = mistakes.map((mistake) => mistakeText({ column: 1, ...mistake })).join('; ')
  return new Mistake(`the rules cannot be asked: ${told}.`, 'Correct them and run it again.')
}

async function outcomesOf(prepared: PreparedRules): Promise<readonly Outcome[]> {
  const answers = await prepared.askCases()
  return prepared.rules.flatMap((rule, index) =>
    rule.cases.map((each, which) => outcomeOf(rule, each, answers[index]?.[which])),
  )
}

function outcomeOf(rule: Rule, each: RuleCase, answer: RuleAnswer | undefined): Outcome {
  return {
    rule: rule.id,
    case: each.name,
    file: rule.source.file,
    line: each.line,
    expected: each.pass ? 'pass' : 'fail',
    ...answered(answer),
  }
}

function answered(answer: RuleAnswer | undefined): Pick<Outcome, 'answer' | 'detail'> {
  if (answer === undefined) return { answer: 'fault', detail: 'it was not asked' }
  if ('fault' in answer) return { answer: 'fault', detail: answer.fault }
  return answer.answer
    ? { answer: 'pass', detail: null }
    : { answer: 'fail', detail: `it reads ${observedText(answer.observed)}` }
}

/** Engines give what a rule read as a list of names and values. */
function observedText(observed: Datum): string {
  if (!Array.isArray(observed)) return JSON.stringify(observed)
  return observed
    .map((each: Datum) => (Array.isArray(each) ? each.map(String).join(' ') : String(each)))
    .join(', ')
}

/** A fault is a denial in service, and never what a case was written for. */
function isHeld({ expected, answer }: Outcome): boolean {
  return answer === expected
}

function outcomesText(outcomes: readonly Outcome[], colour: boolean): string {
  const paint = colour ? coloured : plain
  const failed = outcomes.filter((each) => !isHeld(each))
  const width = Math.max(0, ...outcomes.map(({ rule }) => rule.length))
  const lines = outcomes.map((each) => {
    const held = isHeld(each)
    const must = `must ${each.expected}`
    const did = held
      ? ''
      : `: ${each.answer === 'fault' ? 'it could not be asked' : `it did ${each.answer}`}${each.detail === null ? '' : ` (${each.detail})`} - ${each.file}:${each.line}`
    return `${paint(held ? 'good' : 'bad', held ? 'ok    ' : 'FAILED')}  ${each.rule.padEnd(width)}  ${must}  ${printable(each.case)}${printable(did)}`
  })
  return `${[
    ...lines,
    `${counted(outcomes.length, 'case')}, ${failed.length === 0 ? 'all hold' : `${failed.length} not held: ${[...new Set(failed.map(({ rule }) => rule))].join(', ')}`}.`,
  ].join('\n')}\n`
}
